package controller

import (
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// Metrics are the metrics that the controller exports. A nil *Metrics exports
// nothing.
type Metrics struct {
	weight       *prometheus.GaugeVec
	phase        *prometheus.GaugeVec
	reason       *prometheus.GaugeVec
	transitions  *prometheus.CounterVec
	measurements *prometheus.CounterVec
	share        *prometheus.GaugeVec
	shareRange   *prometheus.GaugeVec
	ratioRange   *prometheus.GaugeVec
	evidence     *prometheus.GaugeVec
	needed       *prometheus.GaugeVec

	shown perDeployment[string] // the reason of each Deployment that has a series
}

// NewMetrics registers the metrics with reg. It panics if they are registered
// already, as prometheus.MustRegister does.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	of := []string{"namespace", "deployment"}
	against := []string{"namespace", "deployment", "metric", "against"}
	m := &Metrics{
		weight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headgate_rollout_weight",
			Help: "Percentage of the traffic, 0 to 100, that the canary should get.",
		}, of),
		phase: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headgate_rollout_phase",
			Help: "1 for the phase that the rollout is in; no series while nothing is rolled out.",
		}, append(of, "phase")),
		reason: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headgate_rollout_reason",
			Help: "1 for the reason of the condition headgate.dev/Rollout of a Deployment, also while nothing is rolled out.",
		}, append(of, "reason")),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headgate_transitions_total", Help: "Events of rollouts by reason, the same as on Kubernetes events.",
		}, []string{"reason"}),
		measurements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "headgate_measurements_total", Help: "Measurements taken, by verdict.",
		}, []string{"verdict"}),
		share: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headgate_comparison_share",
			Help: "Share of bad answers since the rollout began, 0 to 1, of a track: stable or canary.",
		}, append(of, "metric", "track")),
		shareRange: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headgate_comparison_share_range",
			Help: "The true share of bad answers of a track is between low and high in 95 of 100 rollouts, if it stays as it is.",
		}, append(of, "metric", "track", "end")),
		ratioRange: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headgate_comparison_ratio_range",
			Help: "The canary's true share of bad answers divided by stable's is between low and high in 95 of 100 rollouts.",
		}, append(of, "metric", "end")),
		evidence: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headgate_comparison_evidence",
			Help: "Evidence against a canary that is no worse than stable (equal), or within the margin (margin). It begins at 1.",
		}, against),
		needed: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "headgate_comparison_evidence_needed",
			Help: "What headgate_comparison_evidence must reach, both times, for a Fail.",
		}, against),
	}
	reg.MustRegister(m.weight, m.phase, m.reason, m.transitions, m.measurements)
	m.beginAtZero()
	for _, gauge := range m.comparisons() {
		reg.MustRegister(gauge)
	}
	return m
}

// beginAtZero makes the counters before there is something to count. PromQL's increase() needs
// a sample before the first one that it counts: of a counter that begins at 1 it says 0, and
// the first bypass would raise no alert.
func (m *Metrics) beginAtZero() {
	for _, group := range reason.All() {
		for _, e := range group.Explanations {
			m.transitions.WithLabelValues(string(e.Reason))
		}
	}
	for _, verdict := range []rollout.Verdict{rollout.Pass, rollout.Fail, rollout.Inconclusive, rollout.Error, rollout.StableUnhealthy} {
		m.measurements.WithLabelValues(string(verdict))
	}
}

// showReason shows the reason of the condition that was observed; nil is none.
func (m *Metrics) showReason(key types.NamespacedName, c *appsv1.DeploymentCondition) {
	if m == nil {
		return
	}
	now := ""
	if c != nil {
		now = c.Reason
	}
	before, _ := m.shown.get(key)
	if now == before {
		return
	}
	m.reason.DeleteLabelValues(key.Namespace, key.Name, before)
	if now == "" {
		m.shown.forget(key)
		return
	}
	m.shown.set(key, now)
	m.reason.WithLabelValues(key.Namespace, key.Name, now).Set(1)
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
		m.forgetComparisons(key)
		return
	}
	if o.Measurement != nil {
		m.showComparisons(key, o.Measurement.Compared)
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
		m.forgetComparisons(key)
		m.showReason(key, nil)
	}
}

// showComparisons shows the numbers of the last comparisons. A measurement without an answer
// leaves those before it.
func (m *Metrics) showComparisons(key types.NamespacedName, comparisons []rollout.Compared) {
	for _, c := range comparisons {
		m.share.WithLabelValues(key.Namespace, key.Name, c.Metric, "canary").Set(c.CanaryShare)
		m.share.WithLabelValues(key.Namespace, key.Name, c.Metric, "stable").Set(c.StableShare)
		for track, r := range map[string]rollout.Range{"canary": c.CanaryRange, "stable": c.StableRange} {
			m.shareRange.WithLabelValues(key.Namespace, key.Name, c.Metric, track, "low").Set(r.Low)
			m.shareRange.WithLabelValues(key.Namespace, key.Name, c.Metric, track, "high").Set(r.High)
		}
		m.ratioRange.WithLabelValues(key.Namespace, key.Name, c.Metric, "low").Set(c.RatioRange.Low)
		m.ratioRange.WithLabelValues(key.Namespace, key.Name, c.Metric, "high").Set(c.RatioRange.High)
		for against, e := range map[string]rollout.Evidence{"equal": c.AgainstEqual, "margin": c.AgainstMargin} {
			m.evidence.WithLabelValues(key.Namespace, key.Name, c.Metric, against).Set(e.Is)
			m.needed.WithLabelValues(key.Namespace, key.Name, c.Metric, against).Set(e.Needs)
		}
	}
}

// comparisons are the gauges about comparisons with stable.
func (m *Metrics) comparisons() []*prometheus.GaugeVec {
	return []*prometheus.GaugeVec{m.share, m.shareRange, m.ratioRange, m.evidence, m.needed}
}

func (m *Metrics) forgetComparisons(key types.NamespacedName) {
	for _, gauge := range m.comparisons() {
		gauge.DeletePartialMatch(seriesOf(key))
	}
}

func seriesOf(key types.NamespacedName) prometheus.Labels {
	return prometheus.Labels{"namespace": key.Namespace, "deployment": key.Name}
}
