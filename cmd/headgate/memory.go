package main

import (
	"os"
	"runtime/debug"
)

// limitMemory tells the Go runtime of the memory limit of the container, in bytes. It then
// collects garbage more often before it would use more than 90% of it: with 256 MiB, 230
// MiB. The rest is for what it does not count, such as the program itself. 0 changes
// nothing, and neither does any limit where GOMEMLIMIT is set.
func limitMemory(container int) {
	if container > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(container) / 10 * 9)
	}
}
