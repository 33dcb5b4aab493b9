// Package parts provides the programs that the lab runs. It uses an installed program if
// its version fits. Otherwise it builds the program once from public Go modules and keeps
// it in the user's cache directory.
//
// It downloads no binaries, and runs an installed one only to ask for its version. A part
// that is not in the cache needs the Go module proxy, so call Ensure before entering a
// namespace without a network. Package lab and the lab command call it.
package parts
