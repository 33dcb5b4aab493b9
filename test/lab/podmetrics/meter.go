package podmetrics

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Window is the longest time over which a rate is computed.
const Window = 5 * time.Second

// shortest is the least time between two readings that make a rate. In a shorter time a few
// requests would look like a high load.
const shortest = time.Second

// reading is a counter's value at a time.
type reading struct {
	at    time.Time
	count float64
}

// rate is a counter's growth per second.
type rate struct {
	perSecond float64
	at        time.Time     // of the last reading
	over      time.Duration // since the first
}

// meter turns the readings of each pod's counter into its rate.
type meter struct {
	mu   sync.Mutex
	pods map[types.UID][]reading // oldest first, none older than Window
}

func newMeter() *meter { return &meter{pods: map[types.UID][]reading{}} }

// add takes one more reading. The rate is false as long as there is no earlier reading to compare it with.
func (m *meter) add(pod types.UID, now reading) (rate, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(now.at.Add(-Window))
	all := m.pods[pod]
	if n := len(all); n > 0 && all[n-1].count > now.count {
		all = nil // its process has started anew
	}
	m.pods[pod] = append(all, now)
	first := m.pods[pod][0]
	over := now.at.Sub(first.at)
	if over < shortest {
		return rate{}, false
	}
	return rate{perSecond: (now.count - first.count) / over.Seconds(), at: now.at, over: over}, true
}

// drop forgets readings before then, and so pods that are gone.
func (m *meter) drop(then time.Time) {
	for pod, all := range m.pods {
		for len(all) > 0 && all[0].at.Before(then) {
			all = all[1:]
		}
		if m.pods[pod] = all; len(all) == 0 {
			delete(m.pods, pod)
		}
	}
}
