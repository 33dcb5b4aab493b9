package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/manager"
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

func TestReleaser(t *testing.T) {
	released := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapReleased
	}
	const garbage = 64 << 20
	fill := make([]byte, garbage)
	for i := range fill {
		fill[i] = 1
	}
	before := released()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- releaser(time.Millisecond).Start(ctx) }()
	for deadline := time.Now().Add(10 * time.Second); released() < before+garbage/2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is released")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if manager.LeaderElectionRunnable(releaser(0)).NeedLeaderElection() {
		t.Error("a standby keeps its memory")
	}
}
