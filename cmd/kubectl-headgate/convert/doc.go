// Package convert turns a Rollout of Argo Rollouts or a Canary of Flagger into a Deployment with the annotations of
// Headgate. It reads objects and returns objects: it knows no cluster and no file system.
//
//	files ── Read ──▶ Objects ── Convert ──▶ Result: manifests, and Remarks about what could not be carried over
//
// A conversion asks the input for each field by name (field.go), and a field that nobody asked for becomes a
// Remark. So nothing is dropped without a word, also a field that this program does not know.
//
// What is printed is read by the parsers of Headgate first (plan.go). A part that they refuse becomes a Remark.
package convert
