// Package controller carries rollouts out: observe, decide, apply.
//
// It reads the user's Deployment, its ReplicaSets and the canary Deployment, asks
// a Router about the traffic and a Judge about the metrics, lets package rollout
// decide, and makes the decision true. It decides nothing itself. Only package cmd
// constructs it.
package controller
