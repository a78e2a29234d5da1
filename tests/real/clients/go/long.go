package main

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/trinodb/trino-go-client/trino"
)

const (
	// A scale of which all rows are wanted: those that are left out cost Trino as much.
	largeQuery = `SELECT orderkey, custkey, totalprice, comment FROM tpch."sf0.2".orders`
	// More than driver and gateway hold together.
	readingQuery = "SELECT orderkey, partkey, suppkey, comment FROM tpch.sf1.lineitem WHERE orderkey <= 400000"
	// Runs for minutes.
	endless = "SELECT sum(rest_for(20)) FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y)"
	// How long something runs before it is cancelled.
	patience = 1500 * time.Millisecond
)

func large(ctx context.Context, where Where) error {
	pool, err := where.open()
	if err != nil {
		return err
	}
	defer pool.Close()
	seeSum(ctx, "large", pool, largeQuery)
	return nil
}

func spooled(ctx context.Context, where Where) error {
	pool, err := where.open()
	if err != nil {
		return err
	}
	defer pool.Close()
	// An encoding that no Trino knows is the direct protocol.
	for _, encoding := range []string{"json", "json+lz4", "json+zstd", "none"} {
		seeSum(ctx, encoding, pool, "SELECT * FROM tpch.tiny.lineitem", sql.Named("encoding", encoding))
		seeRows(ctx, encoding+", small", pool, "SELECT 1", sql.Named("encoding", encoding))
	}
	return nil
}

// cancel gives up in each way that there is, and looks whether Trino has heard of it.
func cancel(ctx context.Context, where Where) error {
	pool, err := where.open()
	if err != nil {
		return err
	}
	defer pool.Close()
	short, stop := context.WithTimeout(ctx, patience)
	seeRows(short, "time-out of the context", pool, endless+" /* deadline */")
	stop()
	cancelled, stop := context.WithCancel(ctx)
	time.AfterFunc(patience, stop)
	seeRows(cancelled, "context cancelled", pool, endless+" /* cancelled */")
	early(ctx, pool)
	impatient(ctx, where)
	for _, word := range []string{"deadline", "cancelled", "timeout"} {
		seeEnd(ctx, pool, word)
	}
	seeRows(ctx, "afterwards", pool, "SELECT 1")
	return nil
}

// early closes a result after its first rows.
func early(ctx context.Context, pool *sql.DB) {
	rows, err := pool.QueryContext(ctx, readingQuery)
	if err != nil {
		seeError("early", err)
		return
	}
	for range 5 {
		rows.Next()
	}
	seeError("closed early", rows.Close())
}

// impatient lets the driver's own time-out end a query.
func impatient(ctx context.Context, where Where) {
	limit := patience
	pool, err := where.open(func(config *trino.Config) { config.QueryTimeout = &limit })
	must(err)
	defer pool.Close()
	seeRows(ctx, "time-out of the driver", pool, endless+" /* timeout */")
}

// seeEnd waits until Trino itself says that a query has ended, and how.
func seeEnd(ctx context.Context, pool *sql.DB, word string) {
	query := "SELECT state, error_code FROM system.runtime.queries WHERE query LIKE '%/* " + word + " */' AND state = 'FAILED'"
	for range 100 {
		found, err := all(ctx, pool, query)
		if err != nil {
			seeError("end of "+word, err)
			return
		}
		if len(found.Rows) > 0 {
			see("end of "+word, found.Rows[0])
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	see("end of "+word, "it goes on")
}

func reading(ctx context.Context, where Where) error {
	pool, err := where.open()
	if err != nil {
		return err
	}
	defer pool.Close()
	rows, err := pool.QueryContext(ctx, readingQuery, sql.Named("encoding", "none"))
	if err != nil {
		seeError("rows", err)
		return nil
	}
	for range 5 {
		rows.Next()
	}
	mark("reading")
	seeRest("rows", rows, 5)
	rows.Close()
	seeRows(ctx, "afterwards", pool, "SELECT 1")
	return nil
}

func idle(ctx context.Context, where Where) error {
	pool, err := where.open()
	if err != nil {
		return err
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return errors.Join(errors.New("no connection"), err)
	}
	defer conn.Close()
	seeRows(ctx, "before", conn, "SELECT 1")
	mark("idle")
	seeRows(ctx, "after", conn, "SELECT count(*) FROM nation")
	return nil
}

// cold connects as applications do that check their connection first. No table: catalogs come after readiness.
func cold(ctx context.Context, where Where) error {
	pool, err := where.open()
	if err != nil {
		return err
	}
	defer pool.Close()
	seeError("ping", pool.PingContext(ctx))
	seeRows(ctx, "select", pool, "SELECT 1 AS one, 'woken' AS word")
	seeRows(ctx, "prepared", pool, "SELECT ? || 'ed'", "prepar")
	return nil
}
