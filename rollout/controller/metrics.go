package controller

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// Metrics are the metrics that the controller exports. A nil *Metrics exports
// nothing.
type Metrics struct {
	weight       *prometheus.GaugeVec
	phase        *prometheus.GaugeVec
	transitions  *prometheus.CounterVec
	measurements *prometheus.CounterVec
}

// NewMetrics registers the metrics with reg. It panics if they are registered
// already, as prometheus.MustRegister does.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	of := []string{"namespace", "deployment"}
	m := &Metrics{
		weight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headgate_rollout_weight",
			Help: "Percentage of the traffic, 0 to 100, that the canary should get.",
		}, of),
		phase: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headgate_rollout_phase",
			Help: "1 for the phase that the rollout is in; no series while nothing is rolled out.",
		}, append(of, "phase")),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headgate_transitions_total", Help: "Events of rollouts by reason, the same as on Kubernetes events.",
		}, []string{"reason"}),
		measurements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headgate_measurements_total", Help: "Measurements taken, by verdict.",
		}, []string{"verdict"}),
	}
	reg.MustRegister(m.weight, m.phase, m.transitions, m.measurements)
	return m
}

// record sets the weight and the phase of a rollout, and counts its measurement.
func (m *Metrics) record(key types.NamespacedName, o rollout.Observation, d rollout.Decision) {
	if m == nil {
		return
	}
	if o.Measurement != nil {
		m.measurements.WithLabelValues(string(o.Measurement.Verdict)).Inc()
	}
	m.phase.DeletePartialMatch(seriesOf(key))
	if d.Phase == "" {
		m.weight.DeletePartialMatch(seriesOf(key))
		return
	}
	m.phase.WithLabelValues(key.Namespace, key.Name, string(d.Phase)).Set(1)
	weight := d.Routes.Weight
	if d.Routes.Kind == rollout.KeepRoutes {
		weight = o.Traffic.Weight
	}
	m.weight.WithLabelValues(key.Namespace, key.Name).Set(float64(weight))
}

// countEvent counts one event of a rollout.
func (m *Metrics) countEvent(why reason.Reason) {
	if m != nil {
		m.transitions.WithLabelValues(string(why)).Inc()
	}
}

// forget removes the series of a Deployment that is gone.
func (m *Metrics) forget(key types.NamespacedName) {
	if m != nil {
		m.weight.DeletePartialMatch(seriesOf(key))
		m.phase.DeletePartialMatch(seriesOf(key))
	}
}

func seriesOf(key types.NamespacedName) prometheus.Labels {
	return prometheus.Labels{"namespace": key.Namespace, "deployment": key.Name}
}
