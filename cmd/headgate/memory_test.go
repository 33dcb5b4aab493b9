package main

import (
	"runtime/debug"
	"testing"
)

func TestLimitMemory(t *testing.T) {
	initial := debug.SetMemoryLimit(-1)
	for name, tt := range map[string]struct {
		variable  string
		container int
		want      int64
	}{
		"nine tenths of the container's": {"", 1000 << 20, 900 << 20},
		"none is known":                  {"", 0, initial},
		"the variable has precedence":    {"1GiB", 1000 << 20, initial},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { debug.SetMemoryLimit(initial) })
			t.Setenv("GOMEMLIMIT", tt.variable)
			limitMemory(tt.container)
			if got := debug.SetMemoryLimit(-1); got != tt.want {
				t.Errorf("the limit is %d, want %d", got, tt.want)
			}
		})
	}
}
