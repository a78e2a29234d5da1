package main

import (
	"context"
	"database/sql"
	"fmt"
	"hash/crc32"
)

// asker is a pool, a connection or a transaction.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// table is a whole result as a user has it.
type table struct {
	Types []string `json:"types"`
	Names []string `json:"names"`
	Rows  [][]any  `json:"rows"`
}

// seeRows shows a result, or its error.
func seeRows(ctx context.Context, what string, from asker, query string, args ...any) {
	found, err := all(ctx, from, query, args...)
	if err != nil {
		seeError(what, err)
		return
	}
	see(what, found)
}

func all(ctx context.Context, from asker, query string, args ...any) (*table, error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return drained(rows)
}

func drained(rows *sql.Rows) (*table, error) {
	found := &table{Rows: [][]any{}}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	for _, each := range types {
		found.Names = append(found.Names, each.Name())
		found.Types = append(found.Types, each.DatabaseTypeName()+" "+each.ScanType().String())
	}
	for rows.Next() {
		row, err := scanned(rows, len(types))
		if err != nil {
			return nil, err
		}
		found.Rows = append(found.Rows, row)
	}
	return found, rows.Err()
}

func scanned(rows *sql.Rows, width int) ([]any, error) {
	row, into := make([]any, width), make([]any, width)
	for index := range row {
		into[index] = &row[index]
	}
	err := rows.Scan(into...)
	return row, err
}

// seeCount shows how many rows a statement changed, or its error.
func seeCount(ctx context.Context, what string, from asker, query string, args ...any) {
	result, err := from.ExecContext(ctx, query, args...)
	if err != nil {
		seeError(what, err)
		return
	}
	count, err := result.RowsAffected()
	if err != nil {
		seeError(what, err)
		return
	}
	see(what, count)
}

// seeSum shows the number of rows and a sum over all of them: Trino gives them in no certain order.
func seeSum(ctx context.Context, what string, from asker, query string, args ...any) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		seeError(what, err)
		return
	}
	defer rows.Close()
	seeRest(what, rows, 0)
}

// seeRest reads to the end; `before` rows were read already.
func seeRest(what string, rows *sql.Rows, before int) {
	columns, err := rows.Columns()
	if err != nil {
		seeError(what, err)
		return
	}
	count, total := before, uint64(0)
	for rows.Next() {
		row, err := scanned(rows, len(columns))
		if err != nil {
			seeError(what, err)
			return
		}
		count++
		total += uint64(crc32.ChecksumIEEE([]byte(fmt.Sprint(row...))))
	}
	if err := rows.Err(); err != nil {
		seeError(what, err)
		return
	}
	see(what, []any{count, total})
}
