// Package analysis turns the text of a headgate.dev/analysis annotation into
// measurements of a canary and a verdict on each.
//
//	text ──Parse──► Analysis ──queries──► Prometheus ──readings──► assess ──► Measurement
//	       pure                 pure        (Judge)                 pure
//
// The webhook calls Check, the controller calls Judge.Plan and Judge.Measure.
// The package does not decide what follows from a verdict, does not count
// failures, does not wait and keeps nothing between two measurements: all that
// is package rollout's.
//
// Missing evidence is never a Pass. No data, NaN, too few requests, a partial
// answer and a provider that does not answer all hold the rollout where it is;
// only a number that breaks its condition is a Fail.
package analysis
