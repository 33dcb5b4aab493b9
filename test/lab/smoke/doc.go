// Package smoke is the lab's sample smoke test: what an image
// headgate.dev/lab/smoke:VERSION stands for, for Jobs. It asks one URL once, and exits 0 if the
// answer is as expected, or 1 with the reason on stderr.
//
// It has no binary of its own: as for package app, the lab re-executes the running
// program, and Run takes its place.
package smoke
