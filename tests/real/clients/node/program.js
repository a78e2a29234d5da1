// Shows what a user of the npm package `trino-client` sees; clients/client.py says what is read and printed.
'use strict';

const fs = require('node:fs');
const { BasicAuth, Trino } = require('trino-client');
const { lines, mark, see, seeError, Sum } = require('./speaking');

// More than gateway and coordinator hold together.
const LONG = 'SELECT orderkey, partkey, suppkey, comment FROM tpch.sf1.lineitem WHERE orderkey <= 1200000';
const LARGE = 'SELECT orderkey, custkey, totalprice, comment FROM tpch."sf0.2".orders';
const ENDLESS = 'SELECT sum(rest_for(20)) FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y)';
// Milliseconds that something runs before it is cancelled, and between two looks at it.
const PATIENCE = 1500;
const LOOK = 100;

function connect(where, more = {}) {
  return Trino.create({
    server: `${where.scheme}://${where.host}:${where.port}`,
    catalog: where.catalog,
    schema: where.schema,
    source: where.source,
    auth: new BasicAuth(where.user, where.password ?? undefined),
    ...(where.ca ? { ssl: { ca: fs.readFileSync(where.ca) } } : {}),
    ...more,
  });
}

// The whole of a result: this client gives pages, an error is one of them.
async function all(trino, query) {
  const found = { columns: null, rows: [] };
  for await (const page of await trino.query(query)) {
    if (page.error) {
      return { error: told(page.error) };
    }
    found.columns ??= page.columns ?? null;
    found.rows.push(...(page.data ?? []));
    found.updateType = page.updateType;
    found.updateCount = page.updateCount;
    found.warnings = page.warnings;
  }
  return found;
}

function told(error) {
  return [error.errorName, error.errorCode, error.errorType, error.message, error.errorLocation ?? null];
}

async function show(what, trino, query) {
  try {
    see(what, await all(trino, query));
  } catch (error) {
    seeError(what, error);
  }
}

async function statements(where) {
  const trino = connect(where);
  await show('count', trino, 'SELECT count(*) FROM nation');
  await show('order', trino, 'SELECT name, regionkey FROM nation ORDER BY name');
  await show('no rows', trino, 'SELECT * FROM nation WHERE false');
  await show('types', trino, `SELECT true, 1, 1.5e0, DECIMAL '12345678901234567890.12', 'ä €', X'00ff', DATE '2026-02-28',
    TIMESTAMP '2026-02-28 01:02:03.456789', ARRAY[1, NULL], MAP(ARRAY['k'], ARRAY[1]), CAST(ROW(1, 'x') AS ROW(n integer, w varchar)),
    JSON '{"a": [1]}', nan(), CAST(NULL AS varchar), INTERVAL '2' DAY`);
  for (const query of ['SHOW CATALOGS', 'SHOW SCHEMAS FROM tpch', 'SHOW TABLES', 'DESCRIBE orders', 'SELEC 1', 'SELECT nope FROM nation',
    'SELECT 1 / (nationkey - nationkey) FROM nation', "SELECT fail('of my own making')", '']) {
    await show(query || 'nothing', trino, query);
  }
  await writes(where, trino);
  await session(where);
  await information(trino);
}

async function writes(where, trino) {
  const table = `memory.default.${where.word}_writes`;
  await show('drop before', trino, `DROP TABLE IF EXISTS ${table}`);
  await show('create', trino, `CREATE TABLE ${table} AS SELECT * FROM nation ORDER BY name`);
  await show('insert', trino, `INSERT INTO ${table} SELECT * FROM nation WHERE regionkey = 2`);
  await show('written', trino, `SELECT count(*), sum(nationkey) FROM ${table}`);
  await show('drop', trino, `DROP TABLE ${table}`);
}

// What statements leave behind in the client.
async function session(where) {
  const trino = connect(where, { session: { query_priority: '3' } });
  await show('session of the connection', trino, "SHOW SESSION LIKE 'query_priority'");
  await show('use', trino, 'USE tpch.sf1');
  await show('count there', trino, 'SELECT count(*) FROM customer');
  await show('prepare', trino, 'PREPARE mine FROM SELECT name FROM tpch.tiny.region WHERE regionkey = ?');
  await show('execute', trino, 'EXECUTE mine USING 3');
  await show('set session', trino, "SET SESSION join_distribution_type = 'PARTITIONED'");
  await show('the setting', trino, "SHOW SESSION LIKE 'join_distribution_type'");
}

// What the coordinator says of a query, which must be asked where it ran.
async function information(trino) {
  let id;
  for await (const page of await trino.query('SELECT count(*) FROM region')) {
    id = page.id;
  }
  try {
    const info = await trino.queryInfo(id);
    see('query info', [info.queryId === id, info.state, info.query]);
  } catch (error) {
    seeError('query info', error);
  }
}

async function large(where) {
  await sum('large', connect(where), LARGE, 0);
}

// The number of rows and a sum over them; a mark after so many pages with rows.
async function sum(what, trino, query, markAfter) {
  const rows = new Sum();
  try {
    for await (const page of await trino.query(query)) {
      if (page.error) {
        see(what, { error: told(page.error) });
        return;
      }
      rows.add(page.data ?? []);
      if (markAfter && rows.pages === markAfter) {
        await mark('reading');
        markAfter = 0;
      }
    }
    see(what, rows.value());
  } catch (error) {
    seeError(what, error);
  }
}

async function reading(where) {
  const trino = connect(where);
  await sum('rows', trino, LONG, 1);
  await show('afterwards', trino, 'SELECT 1');
}

async function cancel(where) {
  const trino = connect(where);
  const running = await trino.query(`${ENDLESS} /* node cancels */`);
  // The first answer has the id; nobody need have read on.
  const id = running.iter.queryResult.id;
  const reader = (async () => {
    for await (const page of running) {
      if (page.error) {
        return told(page.error);
      }
    }
    return 'it came to its end';
  })().catch((error) => [error.message]);
  await new Promise((done) => setTimeout(done, PATIENCE));
  await trino.cancel(id);
  see('the reader', { error: await reader });
  see('the query', await ended(trino, id));
  await show('afterwards', trino, 'SELECT 1');
}

async function ended(trino, id) {
  for (let look = 0; look < 100; look += 1) {
    const found = await all(trino, `SELECT state, error_code FROM system.runtime.queries WHERE query_id = '${id}' AND state = 'FAILED'`);
    if (found.error || found.rows.length) {
      return found.error ?? found.rows;
    }
    await new Promise((done) => setTimeout(done, LOOK));
  }
  return 'it goes on';
}

// This client knows no transactions; it reads, and asks about what it has read.
async function transactions(where) {
  const trino = connect(where);
  for (let round = 0; round < 6; round += 1) {
    await show('between', trino, 'SELECT name FROM nation WHERE nationkey = 7');
    await information(trino);
  }
}

async function idle(where) {
  const trino = connect(where);
  await show('before', trino, 'SELECT 1');
  await mark('idle');
  await show('after', trino, 'SELECT count(*) FROM nation');
}

// No table: the catalogs of a fixture come after its readiness.
async function cold(where) {
  const trino = connect(where);
  await show('select', trino, "SELECT 1 AS one, 'woken' AS word");
  await show('prepare', trino, "PREPARE mine FROM SELECT ? || 'ed'");
  await show('prepared', trino, "EXECUTE mine USING 'prepar'");
}

const TASKS = { statements, large, cancel, transactions, reading, idle, cold };

(async () => {
  await TASKS[process.argv[2]](JSON.parse(await lines.next()));
  lines.close();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
