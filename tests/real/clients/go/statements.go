package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/trinodb/trino-go-client/trino"
)

// A value of every type that the driver tells apart.
const everyType = `SELECT true AS a, TINYINT '1' AS b, SMALLINT '2' AS c, 3 AS d, BIGINT '4' AS e, REAL '1.5' AS f, 2.5e0 AS g,
 DECIMAL '12345678901234567890.12' AS h, 'text: ä €' AS i, CAST('c' AS char(3)) AS j, X'00ff' AS k, DATE '2026-02-28' AS l,
 TIME '01:02:03.456' AS m, TIMESTAMP '2026-02-28 01:02:03.456789' AS n, TIMESTAMP '2026-02-28 01:02:03.4 Europe/Vienna' AS o,
 INTERVAL '2' DAY AS p, INTERVAL '3' MONTH AS q, ARRAY[1, NULL, 3] AS r, MAP(ARRAY['k'], ARRAY[1]) AS s,
 CAST(ROW(1, 'x') AS ROW(n integer, w varchar)) AS t, JSON '{"a": [1]}' AS u, UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59' AS v,
 IPADDRESS '10.0.0.1' AS w, CAST(NULL AS varchar) AS x, nan() AS y_text_follows, CAST(nan() AS varchar) AS z`

func statements(ctx context.Context, where Where) error {
	pool, err := where.open()
	if err != nil {
		return err
	}
	defer pool.Close()
	server(ctx, pool)
	selects(ctx, where, pool)
	writes(ctx, where, pool)
	failures(ctx, pool)
	sessions(ctx, pool)
	transacted(ctx, pool)
	return nil
}

// server is what the driver asks the coordinator about itself.
func server(ctx context.Context, pool *sql.DB) {
	seeError("ping", pool.PingContext(ctx))
	conn, err := pool.Conn(ctx)
	if err != nil {
		seeError("connection", err)
		return
	}
	defer conn.Close()
	must(conn.Raw(func(raw any) error {
		info, err := raw.(*trino.Conn).ServerInfo(ctx)
		if err != nil {
			seeError("server", err)
			return nil
		}
		see("server", []any{info.NodeVersion, info.Environment, info.Coordinator, info.Starting, info.Uptime > 0})
		return nil
	}))
}

func selects(ctx context.Context, where Where, pool *sql.DB) {
	seeRows(ctx, "count", pool, "SELECT count(*) FROM nation")
	seeRows(ctx, "order", pool, "SELECT name, regionkey FROM nation ORDER BY name")
	seeRows(ctx, "no rows", pool, "SELECT * FROM nation WHERE false")
	// NaN has no JSON, so its text stands for it.
	types, err := all(ctx, pool, everyType)
	if err != nil {
		seeError("types", err)
	} else {
		types.Rows[0][len(types.Rows[0])-2] = fmt.Sprint(types.Rows[0][len(types.Rows[0])-2])
		see("types", types)
	}
	seeRows(ctx, "parameters", pool, "SELECT name FROM nation WHERE regionkey = ? AND name > ? ORDER BY 1", int64(1), "B'")
	immediate(ctx, where)
	prepared(ctx, pool)
	for _, show := range []string{"SHOW CATALOGS", "SHOW SCHEMAS FROM tpch", "SHOW TABLES", "DESCRIBE orders", "EXPLAIN (TYPE VALIDATE) SELECT 1"} {
		seeRows(ctx, show, pool, show)
	}
}

// immediate runs a statement with parameters without a header for it.
func immediate(ctx context.Context, where Where) {
	pool, err := where.open(func(config *trino.Config) { config.DisableExplicitPrepare = true })
	must(err)
	defer pool.Close()
	seeRows(ctx, "execute immediate", pool, "SELECT ? || name FROM nation WHERE nationkey = ?", "it's ", int64(3))
}

func prepared(ctx context.Context, pool *sql.DB) {
	statement, err := pool.PrepareContext(ctx, "SELECT count(*) FROM orders WHERE orderkey < ?")
	if err != nil {
		seeError("prepared", err)
		return
	}
	defer statement.Close()
	for _, limit := range []int64{10, 1000} {
		var count int64
		if err := statement.QueryRowContext(ctx, limit).Scan(&count); err != nil {
			seeError("prepared", err)
			return
		}
		see("prepared", count)
	}
}

func writes(ctx context.Context, where Where, pool *sql.DB) {
	table := fmt.Sprintf("memory.default.%s_writes", where.Word)
	drop := "DROP TABLE IF EXISTS " + table
	seeCount(ctx, "drop before", pool, drop)
	// The order is of no use there, which Trino warns about.
	var warnings trino.Warnings
	seeCount(ctx, "create", pool, "CREATE TABLE "+table+" AS SELECT * FROM nation ORDER BY name", sql.Named("warnings", &warnings))
	see("warnings", warnings.All())
	seeCount(ctx, "insert", pool, "INSERT INTO "+table+" SELECT * FROM nation WHERE regionkey = ?", int64(2))
	seeRows(ctx, "written", pool, "SELECT count(*), sum(nationkey) FROM "+table)
	seeCount(ctx, "twice", pool, "CREATE TABLE "+table+" (a integer)")
	seeCount(ctx, "comment", pool, "COMMENT ON TABLE "+table+" IS 'ä, and more'")
	seeCount(ctx, "drop", pool, drop)
}

func failures(ctx context.Context, pool *sql.DB) {
	for _, query := range []string{
		"SELEC 1", "SELECT nope FROM nation", "SELECT 1 / (nationkey - nationkey) FROM nation", "SELECT * FROM tpch.tiny.nope",
		"SELECT fail('of my own making')", "CREATE TABLE tpch.tiny.mine (a integer)", "SELECT CAST('x' AS integer)",
	} {
		seeRows(ctx, query, pool, query)
	}
}
