// How the programs of Node hear and tell: lines of JSON.
'use strict';

const crypto = require('node:crypto');
const readline = require('node:readline');

const input = readline.createInterface({ input: process.stdin });
const heard = [];
const waiting = [];
input.on('line', (line) => (waiting.length ? waiting.shift()(line) : heard.push(line)));

const lines = {
  next: () => (heard.length ? Promise.resolve(heard.shift()) : new Promise((line) => waiting.push(line))),
  close: () => input.close(),
};

function say(words) {
  process.stdout.write(`${JSON.stringify(words)}\n`);
}

function see(what, value) {
  say({ see: what, value });
}

// An error as a user reads it: the status and the words of the server, else those of the client.
function seeError(what, error) {
  const answer = error.response;
  see(what, { error: answer ? [answer.status, answer.data] : [error.code ?? null, error.message ?? String(error)] });
}

async function mark(word) {
  say({ mark: word });
  await lines.next();
}

// The number of rows and a sum over all of them: Trino gives them in no certain order.
class Sum {
  rows = 0;

  pages = 0;

  total = 0;

  add(rows) {
    this.pages += rows.length ? 1 : 0;
    for (const row of rows) {
      this.rows += 1;
      this.total += crypto.createHash('sha1').update(JSON.stringify(row)).digest().readUInt32BE(0);
    }
  }

  value() {
    return [this.rows, this.total];
  }
}

module.exports = { lines, mark, see, seeError, Sum };
