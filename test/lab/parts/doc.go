// Package parts provides the programs that the lab runs. It uses an installed program if
// its version fits. Otherwise it builds the program once from public Go modules and keeps
// it in the user's cache directory.
//
// A first build on two cores takes minutes, so it compiles as little as it can: the programs
// of test/lab/build are built together, with what they share in one version, without what
// the lab never uses (see the go.mod there). The commands of the test module and Headgate
// share the rest. A line says how far it is (type tally).
//
// It downloads no binaries, and runs an installed one only to ask for its version. A part
// that is not in the cache needs the Go module proxy, so call Ensure before entering a
// namespace without a network. Package lab, the lab command and the build command call it.
package parts
