// Package bench measures what a rollout costs: how soon its first weight is written, how long
// it takes, how fast a bad version loses its traffic, who writes how often, and what the
// manager needs. It measures Headgate and Argo Rollouts one after the other, on the same API
// server of a hollow lab, with the same steps and the same metric server.
//
// It looks at the tools from outside only: at watches, at the API server's audit log and at
// /proc. So it measures whatever design the product has. docs/benchmark.md explains each
// figure; test/cmd/bench is the program.
package bench
