package main

import (
	v2 "k8s.io/api/autoscaling/v2"
	"k8s.io/metrics/pkg/apis/external_metrics"
)

// specs are the metrics in words: a target as Kubernetes spells quantities.
func specs(given []v2.MetricSpec) []spec {
	told := make([]spec, 0, len(given))
	for _, each := range given {
		target := each.External.Target
		amount := target.AverageValue
		if amount == nil {
			amount = target.Value
		}
		told = append(told, spec{each.External.Metric.Name, string(target.Type), amount.String()})
	}
	return told
}

// asked are the values and the activity of a poll in words.
func asked(values []external_metrics.ExternalMetricValue, active bool, err error) (answer, error) {
	told := answer{Active: &active}
	for _, each := range values {
		told.Values = append(told.Values, sample{each.MetricName, each.Value.String()})
	}
	return told, err
}
