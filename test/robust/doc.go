// Package robust holds the tests of what goes wrong around Headgate while it works: its
// leader changes, the node of its pods is drained, its certificate changes, and the API
// server restarts, is slow or forgets.
//
// Other packages have the rest: package e2e the managers that are killed in every phase
// and the webhook that nobody answers, with Fail and with Ignore (survive_test.go), package
// admission what a write meets then, package rollout a clock that is set
// (clock_test.go).
package robust
