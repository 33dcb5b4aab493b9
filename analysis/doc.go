// Package analysis reads the text of a headgate.dev/analysis annotation, asks providers
// such as Prometheus about a canary and returns a verdict.
//
//	annotation, or its ConfigMap
//	   │ Parse          pure      analysis.go, line.go, yaml.go, user_metric.go, settings.go, recipe.go
//	   ▼
//	Analysis ──────────────────►  its plan (interval and limits) goes to package rollout
//	   │ questionsFor   pure      questions.go, with builtin.go, builtin_pods.go, series.go
//	   ▼
//	questions (PromQL of Headgate's own, and what the user wrote)
//	   │ Judge.ask      network   judge.go, through the interface Provider in providers.go
//	   ▼
//	answers (numbers)
//	   │ assess         pure      verdict.go, tally.go
//	   │ Judge.compare  network   compare.go, comparison.go: metrics that are counted beside stable
//	   ▼
//	Measurement: a verdict and a message
//
// The webhook calls Providers.Check. The controller calls Judge.Resolve in each reconcile and,
// if a measurement is due, Measure on what it returned. Start reading at
// Resolved.Measure in judge.go: it calls the steps of the picture in order.
//
// The package does not decide what follows from a verdict, and does not wait. What it must
// know of earlier measurements, evidence and tallies, is a text that package rollout stores
// for it: record.go.
//
// Missing evidence is never a Pass. No data, NaN, too few requests and an incomplete
// answer are Inconclusive, and a provider that does not answer is an Error: both
// hold the rollout where it is. Only a number that breaks its condition is a Fail.
//
// Words:
//
//   - Analysis: what an annotation says: metrics, their conditions, the limits.
//   - Metric: one number and the condition that it must satisfy.
//   - Built-in metric: a metric that Headgate has the query for, such as
//     success-rate. A new one is a type that implements builtInMetric and is listed in
//     knownMetrics.
//   - Provider: who answers questions: a Prometheus, a database, an HTTP service. The
//     operator names them; the packages below analysis/provider are their types.
//   - Source: the ingress controller whose series the built-in metrics use. A new one
//     is a type that implements sourceSeries and is listed in knownSources.
//   - Bound: the number in a condition, in base units: ratios and seconds.
//   - Window: how far back one measurement looks.
//   - Questions and answers: the questions of one measurement, and what providers
//     returned for each. One answer is a reading, and a reading has samples.
//   - Finding: the verdict on one reading. The worst finding is the measurement's.
package analysis
