// Package prometheusremotewrite is absent: the lab's Prometheus takes no metrics from
// OpenTelemetry.
package prometheusremotewrite
