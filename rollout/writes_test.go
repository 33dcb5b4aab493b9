package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gotest.tools/v3/golden"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// A rollout writes what a person or a router must know, and what a manager that starts
// must know. testdata/writes.txt lists every write. Rewrite it with -update.
func TestWritesOfARollout(t *testing.T) {
	w := newWorld(t, "10%, 1m, 25%, 1m, 50%, 1m, 75%, 1m, 100%, 1m", true)
	w.web.plan = rollout.AnalysisPlan{Interval: 20 * time.Second}
	w.run(time.Second)
	w.start, w.manager.writes, w.manager.listed, w.manager.measured = w.now, 0, nil, 0
	w.apply("v2")
	w.untilReason(reason.Promoted)
	w.rest()
	golden.Assert(t, fmt.Sprintf("%d writes, %d measurements\n%s\n",
		len(w.manager.listed), w.manager.measured, strings.Join(w.manager.listed, "\n")), "writes.txt")
}

// What is measured again and again writes nothing.
func TestARepeatedPassWritesNothing(t *testing.T) {
	w := newWorld(t, "50%, 1h", true)
	w.web.plan = rollout.AnalysisPlan{Interval: 20 * time.Second}
	w.apply("v2")
	w.untilShare(50)
	w.run(2 * time.Minute)
	writes, measured := len(w.manager.listed), w.manager.measured
	w.run(30 * time.Minute)
	if n := w.manager.measured - measured; n < 80 || len(w.manager.listed) != writes {
		t.Errorf("%d measurements, and these writes: %v", n, w.manager.listed[writes:])
	}
}
