// Package smoke is the lab's sample smoke test, the program of the image
// headgate.dev/lab/smoke:VERSION, for Jobs. It sends one request to one URL. It exits
// with 0 if the answer is as expected, otherwise with 1 and the reason on stderr. If the
// answer is as expected and SCORE is set, its value becomes the termination message.
//
// It has no binary of its own: as for package app, the lab re-executes the running
// program, and Run takes its place.
package smoke
