// Shows what a user of trino-go-client sees; tests/real/clients/client.py says what is read and printed.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/trinodb/trino-go-client/trino"
)

// Set by the builder, so that another source is another program.
var revision string

// Where is what the tests tell us to connect to.
type Where struct {
	Scheme, Host, User, Catalog, Schema, Source, Word string
	Port                                              int
	CA, Password, Token, Encoding                     *string
}

var (
	input  = bufio.NewReader(os.Stdin)
	output = json.NewEncoder(os.Stdout)
	tasks  = map[string]func(context.Context, Where) error{
		"statements": statements, "large": large, "spooled": spooled, "cancel": cancel,
		"transactions": transactions, "reading": reading, "idle": idle, "cold": cold,
	}
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	line, err := input.ReadBytes('\n')
	if err != nil {
		return err
	}
	var where Where
	if err := json.Unmarshal(line, &where); err != nil {
		return err
	}
	task, known := tasks[os.Args[1]]
	if !known {
		return fmt.Errorf("no task %q", os.Args[1])
	}
	return task(context.Background(), where)
}

// config is what a user would write for an address.
func (w Where) config() *trino.Config {
	address := url.URL{Scheme: w.Scheme, Host: fmt.Sprintf("%s:%d", w.Host, w.Port), User: url.User(w.User)}
	if w.Password != nil {
		address.User = url.UserPassword(w.User, *w.Password)
	}
	config := &trino.Config{ServerURI: address.String(), Catalog: w.Catalog, Schema: w.Schema, Source: w.Source, TimeZone: "UTC"}
	if w.CA != nil {
		config.SSLCertPath = *w.CA
	}
	if w.Token != nil {
		config.AccessToken = *w.Token
	}
	return config
}

// open gives a pool as applications have it.
func (w Where) open(change ...func(*trino.Config)) (*sql.DB, error) {
	config := w.config()
	for _, each := range change {
		each(config)
	}
	connector, err := trino.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// see shows one observation.
func see(what string, value any) {
	must(output.Encode(map[string]any{"see": what, "value": value}))
}

// mark waits until the situation has done what it does.
func mark(word string) {
	must(output.Encode(map[string]string{"mark": word}))
	_, err := input.ReadString('\n')
	must(err)
}

// must ends the program: the tests do not listen any more.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// seeError shows an error as its parts, without what differs from run to run.
func seeError(what string, err error) {
	if err == nil {
		see(what, "no error")
		return
	}
	see(what, map[string]any{"error": parts(err)})
}

func parts(err error) any {
	var told *trino.ErrTrino
	var failed *trino.ErrQueryFailed
	switch {
	case errors.As(err, &told):
		at := told.ErrorLocation
		return []any{told.ErrorName, told.ErrorCode, told.ErrorType, told.Message, at.LineNumber, at.ColumnNumber}
	case errors.As(err, &failed):
		return []any{"status", failed.StatusCode, fmt.Sprint(failed.Reason)}
	default:
		return err.Error()
	}
}
