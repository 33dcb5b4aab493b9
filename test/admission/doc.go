// Package admission tests who holds a new template on a real API server: the webhook, the
// admission policy, and the guard when no pod of Headgate runs. One table of writes
// (cases_test.go) goes through all of them. Package policy compares the policy with the
// webhook over random writes, without an API server.
package admission
