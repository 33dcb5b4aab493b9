// Package app is the lab's sample service: what an image headgate.dev/lab/app:VERSION
// stands for. It answers with its version, and misbehaves as its environment says.
//
// It has no binary of its own: the lab re-executes the running program (a test
// binary, or cmd/lab) with Version set, and Run serves there instead of it.
package app
