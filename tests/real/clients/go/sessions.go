package main

import (
	"context"
	"database/sql"
)

// sessions are what statements leave behind on their connection.
func sessions(ctx context.Context, pool *sql.DB) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		seeError("connection", err)
		return
	}
	defer conn.Close()
	seeCount(ctx, "use", conn, "USE tpch.sf1")
	seeRows(ctx, "used", conn, "SELECT current_catalog, current_schema, current_user, current_timezone()")
	seeRows(ctx, "count there", conn, "SELECT count(*) FROM customer")
	seeCount(ctx, "set session", conn, "SET SESSION query_max_run_time = '11m'")
	seeCount(ctx, "set another", conn, "SET SESSION join_distribution_type = 'PARTITIONED'")
	seeRows(ctx, "session", conn, "SHOW SESSION LIKE 'query_max_run_time'")
	seeCount(ctx, "reset session", conn, "RESET SESSION query_max_run_time")
	seeRows(ctx, "session again", conn, "SHOW SESSION LIKE 'query_max_run_time'")
	seeRows(ctx, "the other", conn, "SHOW SESSION LIKE 'join_distribution_type'")
	seeCount(ctx, "wrong session", conn, "SET SESSION nope = 1")
	seeCount(ctx, "set path", conn, "SET PATH tpch.tiny, memory.default")
	seeCount(ctx, "time zone", conn, "SET TIME ZONE 'Asia/Tokyo'")
	seeRows(ctx, "in time zone", conn, "SELECT TIMESTAMP '2026-01-01 00:00:00 UTC' AT TIME ZONE 'Asia/Tokyo', current_timezone()")
	seeCount(ctx, "prepare", conn, "PREPARE mine FROM SELECT name FROM tpch.tiny.region WHERE regionkey = ?")
	seeRows(ctx, "execute", conn, "EXECUTE mine USING 3")
	seeRows(ctx, "describe input", conn, "DESCRIBE INPUT mine")
	seeRows(ctx, "describe output", conn, "DESCRIBE OUTPUT mine")
	seeCount(ctx, "deallocate", conn, "DEALLOCATE PREPARE mine")
	seeRows(ctx, "execute afterwards", conn, "EXECUTE mine USING 3")
	seeCount(ctx, "set role", conn, "SET ROLE NONE")
}

// transacted are transactions; they only read, since the tables in memory know no more.
func transacted(ctx context.Context, pool *sql.DB) {
	for _, options := range []*sql.TxOptions{nil, {ReadOnly: true}, {Isolation: sql.LevelReadUncommitted}} {
		tx, err := pool.BeginTx(ctx, options)
		if err != nil {
			seeError("begin", err)
			continue
		}
		seeRows(ctx, "in transaction", tx, "SELECT count(*) FROM nation")
		seeRows(ctx, "in transaction again", tx, "SELECT max(orderkey) FROM orders")
		if options == nil {
			seeError("rollback", tx.Rollback())
		} else {
			seeError("commit", tx.Commit())
		}
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		seeError("begin", err)
		return
	}
	seeRows(ctx, "failing in transaction", tx, "SELECT nope")
	seeRows(ctx, "after the failure", tx, "SELECT 1")
	seeError("commit after the failure", tx.Commit())
	seeRows(ctx, "after all transactions", pool, "SELECT 1")
}

// transactions are for several backends: what begins on one must go on there, and all else goes anywhere.
func transactions(ctx context.Context, where Where) error {
	pool, err := where.open()
	if err != nil {
		return err
	}
	defer pool.Close()
	for range 4 {
		transacted(ctx, pool)
		seeRows(ctx, "between", pool, "SELECT name FROM nation WHERE nationkey = ?", int64(7))
	}
	return nil
}
