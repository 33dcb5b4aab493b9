package podmetrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func TestMeter(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(seconds float64, count float64) reading {
		return reading{at: start.Add(time.Duration(seconds * float64(time.Second))), count: count}
	}
	type result struct {
		perSecond float64
		ok        bool
	}
	for sentence, c := range map[string]struct {
		readings []reading
		want     result // of the last one
	}{
		"one reading is no rate":               {[]reading{at(0, 50)}, result{}},
		"two are":                              {[]reading{at(0, 50), at(2, 70)}, result{10, true}},
		"two in no time are not":               {[]reading{at(0, 50), at(0.1, 70)}, result{}},
		"an idle pod has rate 0":               {[]reading{at(0, 50), at(2, 50)}, result{0, true}},
		"what is older than the window is out": {[]reading{at(0, 0), at(4, 400), at(6, 400), at(8, 420)}, result{5, true}},
		"after a pause it begins anew":         {[]reading{at(0, 0), at(2, 100), at(60, 100)}, result{}},
		"so it does after a restart":           {[]reading{at(0, 500), at(2, 10), at(4, 30)}, result{10, true}},
	} {
		m := newMeter()
		var got result
		for _, r := range c.readings {
			last, ok := m.add("pod", r)
			got = result{last.perSecond, ok}
		}
		if got != c.want {
			t.Errorf("%s: got %v, want %v", sentence, got, c.want)
		}
	}
}

func TestMeterForgetsPodsThatAreGone(t *testing.T) {
	m := newMeter()
	m.add("gone", reading{at: time.Unix(0, 0)})
	m.add("here", reading{at: time.Unix(60, 0)})
	if len(m.pods) != 1 {
		t.Errorf("%d pods are remembered, want 1", len(m.pods))
	}
}

func TestUsageIsTheRateTimesWhatARequestCosts(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1"}}
	pod.Spec.Containers = []corev1.Container{{Name: "app"}}
	m := podMetrics(pod, rate{perSecond: 12.5, over: 2 * time.Second})
	if got := m.Containers[0].Usage.Cpu().String(); got != "125m" || m.Window.Duration != 2*time.Second {
		t.Errorf("cpu %s over %s, want 125m over 2s", got, m.Window.Duration)
	}
}

func TestHandlerAnswers(t *testing.T) {
	h := Handler(fake.NewClientBuilder().Build())
	const root = "/apis/metrics.k8s.io/v1beta1"
	for path, want := range map[string]string{
		root:                                    `"resources":[{"name":"pods"`,
		root + "/namespaces/shop/pods":          `"items":[]`,
		root + "/pods?labelSelector=%21%21":     `"reason":"BadRequest"`,
		root + "/namespaces/shop/pods/web-none": `"reason":"NotFound"`,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if got := w.Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s answers %s, want it to have %s", path, got, want)
		}
	}
}
