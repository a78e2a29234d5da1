// Shows what a user of the npm package `presto-client` sees; clients/client.py says what is read and printed.
'use strict';

const fs = require('node:fs');
const { Client } = require('presto-client');
const { lines, mark, see, Sum } = require('../node/speaking');

const LONG = 'SELECT orderkey, partkey, suppkey, comment FROM tpch.sf1.lineitem WHERE orderkey <= 300000';
const LARGE = 'SELECT orderkey, custkey, totalprice, comment FROM tpch."sf0.2".orders';
const ENDLESS = 'SELECT sum(rest_for(20)) FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y)';
// Milliseconds between two polls; its own default of 800 makes a large result a matter of minutes.
const INTERVAL = 20;
// Seconds: as many as the slowest cold start takes; its own default is 60.
const LIMIT = 280;

function connect(where) {
  return new Client({
    host: where.host,
    port: where.port,
    user: where.user,
    catalog: where.catalog,
    schema: where.schema,
    source: where.source,
    checkInterval: INTERVAL,
    timeout: LIMIT,
    ...(where.password ? { basic_auth: { user: where.user, password: where.password } } : {}),
    ...(where.scheme === 'https' ? { ssl: where.ca ? { ca: fs.readFileSync(where.ca) } : {} } : {}),
  });
}

// Runs a statement; `onRows` sees its rows page by page. Never throws: an error is what comes of it.
function run(client, query, { onRows = () => {}, ...more } = {}) {
  return new Promise((done) => {
    let columns = null;
    client.execute({
      query,
      columns: (_, found) => { columns = found; },
      data: (_, rows) => onRows(rows),
      success: (_, stats) => done({ columns, state: stats.state }),
      error: (error) => done({ error: told(error) }),
      ...more,
    });
  });
}

function told(error) {
  const inner = error.error ?? error;
  return [inner.errorName ?? null, inner.errorCode ?? null, error.code ?? null, String(error.message ?? error)];
}

async function show(what, client, query, more) {
  const rows = [];
  const came = await run(client, query, { onRows: (found) => rows.push(...found), ...more });
  see(what, came.error ? came : { ...came, rows });
}

async function statements(where) {
  const client = connect(where);
  await show('count', client, 'SELECT count(*) FROM nation');
  await show('order', client, 'SELECT name, regionkey FROM nation ORDER BY name');
  await show('other schema', client, 'SELECT count(*) FROM customer', { schema: 'sf1' });
  await show('session', client, "SHOW SESSION LIKE 'query_priority'", { session: 'query_priority=3' });
  await show('time zone', client, 'SELECT current_timezone()', { timezone: 'Asia/Tokyo' });
  await show('prepared', client, 'EXECUTE query0 USING 3', { prepares: ['SELECT name FROM region WHERE regionkey = ?'] });
  for (const query of ['SHOW TABLES', 'SELEC 1', 'SELECT nope FROM nation', "SELECT fail('of my own making')"]) {
    await show(query, client, query);
  }
  const table = `memory.default.${where.word}_writes`;
  await show('drop before', client, `DROP TABLE IF EXISTS ${table}`);
  await show('create', client, `CREATE TABLE ${table} AS SELECT * FROM nation`);
  await show('written', client, `SELECT count(*) FROM ${table}`);
  await show('drop', client, `DROP TABLE ${table}`);
  await information(client);
}

// By the id of the first answer: what the coordinator says of the query while it runs.
async function information(client) {
  let id = null;
  await run(client, 'SELECT count(*) FROM region', { state: (_, found) => { id = found; } });
  see('query info', await new Promise((done) => {
    client.query(id, (error, info) => done(error ? { error: told(error) } : [info.queryId === id, info.state, info.query]));
  }));
}

async function sum(what, client, query) {
  const rows = new Sum();
  const came = await run(client, query, { onRows: (found) => rows.add(found) });
  see(what, came.error ? came : rows.value());
}

async function large(where) {
  await sum('large', connect(where), LARGE);
}

// Its user cannot stop it from reading on, so the mark comes before the first rows.
async function reading(where) {
  const client = connect(where);
  const read = sum('rows', client, LONG);
  await mark('reading');
  await read;
  await show('afterwards', client, 'SELECT 1');
}

// Its own way to stop is asked before each poll; besides, anybody may kill by the id.
async function cancel(where) {
  const client = connect(where);
  let id = null;
  const killed = run(client, `${ENDLESS} /* killed */`, {
    state: (_, found) => {
      if (!id) {
        id = found;
        setTimeout(() => client.kill(id, (error) => see('kill', error ? { error: told(error) } : 'no error')), 1500);
      }
    },
  });
  see('who was killed', await killed);
  await show('time-out', client, `${ENDLESS} /* late */`, { timeout: 2 });
  await show('afterwards', client, 'SELECT 1');
}

async function idle(where) {
  const client = connect(where);
  await show('before', client, 'SELECT 1');
  await mark('idle');
  await show('after', client, 'SELECT count(*) FROM nation');
}

// No table: the catalogs of a fixture come after its readiness.
async function cold(where) {
  const client = connect(where);
  await show('select', client, "SELECT 1 AS one, 'woken' AS word");
  await show('prepared', client, "EXECUTE query0 USING 'prepar'", { prepares: ["SELECT ? || 'ed'"] });
}

const TASKS = { statements, large, cancel, reading, idle, cold };

(async () => {
  await TASKS[process.argv[2]](JSON.parse(await lines.next()));
  lines.close();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
