// Package e2e tests Headgate as a user gets it: installed from the chart, on a real
// API server, behind a real ingress controller, with every answer of a steady load
// counted.
//
// # Where to start
//
// main_test.go starts one lab (package test/lab) for all tests and installs
// Headgate in it with a short settle and drain time. rollout_test.go has the main
// story. service_test.go has what nearly every test uses: newService deploys the
// sample service in a namespace of its own, puts it under load and opts it in; ship
// applies another version; await waits for a reason in the condition; over checks
// what must be true after every rollout.
//
// Most tests run in parallel. A test that breaks what all share (survive_test.go,
// certs_test.go) or counts what all do (rest_test.go) does not.
//
// # Time
//
// No test depends on how fast the machine is. A request is sent after a change, or its
// answer came before it; what lies between proves nothing. Two things tell when a change
// was made:
//
//   - The router applies a change late. routed waits until it has, and split, onlyAnswers
//     and sharesMatch look only at requests that were sent after that.
//   - A watch tells of a change late. The numbers of the changes (resourceVersion) have
//     their order, and the audit log has the time of each request.
//
// Only waits of Headgate itself are measured, and only that they are not too short. A limit
// of a wait ends a test that hangs.
//
// Run one test, from the root of the repository:
//
//	go -C test test -count=1 ./e2e -run TestGoodVersionIsPromoted
//
// # Where the logs are
//
// When a test fails, the last line names the directory of the lab's logs. Headgate's
// are below pods/headgate-system; see package lab for the others.
//
// # Words
//
//   - service: the sample service of one test with its load, and methods for what a
//     user does and what a test checks.
//   - weights: every weight that the canary Ingresses had, with the times when Headgate
//     wrote it and when the router had applied it.
//   - chronicle: every change to the Deployment, its canaries and their Ingresses, in
//     the order in which the API server made them. Its check replays them against the
//     invariants.
//   - scaled: a service whose number of pods an autoscaler sets.
//   - crowd: a group of requests that one version must answer.
package e2e
