// Package parts makes the programs that the lab runs exist on this machine: an
// installed one where it fits, else one that is built once from public Go
// modules and kept in the user's cache directory.
//
// It downloads no binaries and runs none of them except to ask for their
// version. A part that is not in the cache yet needs the Go module proxy, so
// ask for it before entering a namespace without network. Package lab and the
// lab command call it.
package parts
