// KEDA's own scaler clients, one process for all of a test: it does what lines of JSON on standard input say, and
// answers each with one on standard output. What KEDA logs goes to standard error.
//
// It decides nothing: which trigger, when to ask and what must come out is the tests' business, so this program is
// rarely built anew.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/kedacore/keda/v2/pkg/scalers"
	"github.com/kedacore/keda/v2/pkg/scalers/scalersconfig"
	v2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// KEDA's own default for every request of a scaler over HTTP.
const httpTimeout = 3 * time.Second

// order is a line of input.
type order struct {
	ID int `json:"id"`
	// make, spec, ask, run or close.
	Do     string `json:"do"`
	Scaler string `json:"scaler"`
	// Of make: the trigger as it stands in a ScaledObject, and what its TriggerAuthentication would give.
	Type     string            `json:"type"`
	Metadata map[string]string `json:"metadata"`
	Auth     map[string]string `json:"auth"`
	Index    int               `json:"index"`
	// Of ask.
	Metric string `json:"metric"`
}

// answer is a line of output; ID 0 is a push.
type answer struct {
	ID     int      `json:"id"`
	Error  string   `json:"error,omitempty"`
	Specs  []spec   `json:"specs,omitempty"`
	Values []sample `json:"values,omitempty"`
	Active *bool    `json:"active,omitempty"`
	Scaler string   `json:"scaler,omitempty"`
	// Of a push: when KEDA's client gave it to us, in Unix nanoseconds.
	At int64 `json:"at,omitempty"`
	// Of a push: it was the last.
	Ended bool `json:"ended,omitempty"`
}

// spec is a metric as KEDA would write it into the HPA.
type spec struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Target string `json:"target"`
}

// sample is a value as the HPA would read it.
type sample struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// living is a scaler, and what ends its stream.
type living struct {
	scalers.Scaler
	ctx context.Context
	end context.CancelFunc
}

// house holds the scalers by their names.
type house struct {
	scalers sync.Map
	out     sync.Mutex
}

func main() {
	// Down to how long it waits between two streams.
	log.SetLogger(zap.New(zap.UseDevMode(true), zap.JSONEncoder(), zap.WriteTo(os.Stderr)))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	h := &house{}
	lines := bufio.NewScanner(os.Stdin)
	// A trigger with certificates is longer than what a scanner takes by itself.
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		// An answer that never comes must not hold up the next order.
		go h.obey(ctx, o)
	}
}

// obey does an order and answers it.
func (h *house) obey(ctx context.Context, o order) {
	a, err := h.done(ctx, o)
	if err != nil {
		a.Error = err.Error()
	}
	a.ID = o.ID
	h.write(a)
}

// write puts a whole line out.
func (h *house) write(a answer) {
	line, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	h.out.Lock()
	defer h.out.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

// done does an order.
func (h *house) done(ctx context.Context, o order) (answer, error) {
	if o.Do == "make" {
		return answer{}, h.build(ctx, o)
	}
	held, ok := h.scalers.Load(o.Scaler)
	if !ok {
		return answer{}, fmt.Errorf("no scaler %q", o.Scaler)
	}
	scaler := held.(*living)
	switch o.Do {
	case "spec":
		return answer{Specs: specs(scaler.GetMetricSpecForScaling(scaler.ctx))}, nil
	case "ask":
		return asked(scaler.GetMetricsAndActivity(scaler.ctx, o.Metric))
	case "run":
		go h.run(o.Scaler, scaler)
		return answer{}, nil
	case "close":
		scaler.end()
		return answer{}, scaler.Close(ctx)
	}
	return answer{}, fmt.Errorf("no order %q", o.Do)
}

// build makes a scaler as KEDA does for a trigger of a ScaledObject.
func (h *house) build(ctx context.Context, o order) error {
	config := &scalersconfig.ScalerConfig{
		ScalableObjectName:      o.Scaler,
		ScalableObjectNamespace: "tests",
		ScalableObjectType:      "ScaledObject",
		GlobalHTTPTimeout:       httpTimeout,
		TriggerType:             o.Type,
		TriggerMetadata:         o.Metadata,
		ResolvedEnv:             map[string]string{},
		AuthParams:              o.Auth,
		TriggerIndex:            o.Index,
		MetricType:              v2.AverageValueMetricType,
		AsMetricSource:          true,
	}
	scaler, err := builder(o.Type, config)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	h.scalers.Store(o.Scaler, &living{scaler, ctx, end})
	return nil
}

// builder is KEDA's own choice by the type of the trigger.
func builder(kind string, config *scalersconfig.ScalerConfig) (scalers.Scaler, error) {
	switch kind {
	case "external-push":
		return scalers.NewExternalPushScaler(config)
	case "external":
		return scalers.NewExternalScaler(config)
	case "metrics-api":
		return scalers.NewMetricsAPIScaler(config, nil)
	case "prometheus":
		return scalers.NewPrometheusScaler(config)
	}
	return nil, fmt.Errorf("no trigger type %q", kind)
}

// run tells each push of the stream, until its end.
func (h *house) run(name string, scaler *living) {
	pushes := make(chan bool)
	go scaler.Scaler.(scalers.PushScaler).Run(scaler.ctx, pushes)
	for active := range pushes {
		h.write(answer{Scaler: name, Active: &active, At: time.Now().UnixNano()})
	}
	h.write(answer{Scaler: name, Ended: true, At: time.Now().UnixNano()})
}
