// Package load sends HTTP requests through the lab's ingress controller at a steady rate and
// remembers every answer, so that a test can ask afterwards which version served
// how much in any stretch of time and whether a rollout lost a single request.
//
// It never retries. Tests and cmd/lab call it.
package load
