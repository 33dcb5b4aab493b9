package memory

import (
	"testing"
	"time"

	"github.com/headgate/headgate/test/lab"
)

var shared *lab.Lab

func TestMain(m *testing.M) {
	lab.RunTests(m, lab.Options{Node: true, Headgate: true}, func(l *lab.Lab) error {
		shared = l
		return nil
	})
}

// TestRun measures a small cluster, so that the measurement of a large one works.
func TestRun(t *testing.T) {
	sizes := Sizes{Deployments: 100, Managed: 10, OldReplicaSets: 2, Routed: 10, Rest: time.Second}
	r, err := Run(t.Context(), shared, sizes)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", r)
	for name, p := range map[string]Phase{"start": r.Start, "change": r.Change} {
		for who, used := range map[string]Memory{"leader": p.Leader, "standby": p.Standby} {
			if used.RSS < 10<<20 || used.RSS > 150<<20 || used.Peak < used.RSS {
				t.Errorf("%s: the %s uses %d MB, at most %d MB", name, who, used.RSS>>20, used.Peak>>20)
			}
		}
		if p.Took <= 0 || p.CPU <= 0 || p.CPU > p.Took*4 {
			t.Errorf("%s: took %s and %s of CPU", name, p.Took, p.CPU)
		}
	}
}
