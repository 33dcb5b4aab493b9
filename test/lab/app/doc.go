// Package app is the lab's sample service, the program of the image
// headgate.dev/lab/app:VERSION. It answers with its version, and misbehaves if its
// environment says so.
//
// It has no binary of its own: the lab re-executes the running program (a test
// binary, or cmd/lab) with Version set, and Run serves there instead of it.
package app
