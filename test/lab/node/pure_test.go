package node

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestExpand(t *testing.T) {
	env := map[string]string{"NAME": "web", "POD.IP": "10.244.0.1"}
	for in, want := range map[string]string{
		"--name=$(NAME)":    "--name=web",
		"$(POD.IP):80":      "10.244.0.1:80",
		"$(UNKNOWN) stays":  "$(UNKNOWN) stays",
		"$$(NAME) is quiet": "$(NAME) is quiet",
		"$NAME is no ref":   "$NAME is no ref",
	} {
		if got := expand(in, env); got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLimitOf(t *testing.T) {
	half := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")}}
	for name, tt := range map[string]struct {
		resources corev1.ResourceRequirements
		field     string
		want      string
	}{
		"its own":               {half, "limits.memory", "536870912"},
		"that of the node":      {corev1.ResourceRequirements{}, "limits.memory", "8589934592"},
		"of nothing but memory": {half, "limits.cpu", ""},
	} {
		ref := corev1.ResourceFieldSelector{Resource: tt.field}
		got, err := limitOf(corev1.Container{Resources: tt.resources}, ref)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: limit %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

func TestArgumentsReplaceTheCommandsFileByTheProgram(t *testing.T) {
	p := Program{Args: []string{"serve"}}
	c := corev1.Container{Command: []string{"/bin/app", "-x"}, Args: []string{"--pod=$(POD)"}}
	if diff := cmp.Diff([]string{"serve", "-x", "--pod=web-1"}, p.arguments(c, map[string]string{"POD": "web-1"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPhase(t *testing.T) {
	running := corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	creating := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}
	ended := func(code int32) corev1.ContainerStatus {
		return corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}}
	}
	backingOff := creating
	backingOff.LastTerminationState = ended(1).State
	for sentence, c := range map[string]struct {
		containers []corev1.ContainerStatus
		want       corev1.PodPhase
	}{
		"one not started yet":          {[]corev1.ContainerStatus{running, creating}, corev1.PodPending},
		"one ended, to be restarted":   {[]corev1.ContainerStatus{running, backingOff}, corev1.PodRunning},
		"one ended for good, one runs": {[]corev1.ContainerStatus{ended(0), running}, corev1.PodRunning},
		"all ended well":               {[]corev1.ContainerStatus{ended(0), ended(0)}, corev1.PodSucceeded},
		"all ended, one badly":         {[]corev1.ContainerStatus{ended(0), ended(1)}, corev1.PodFailed},
	} {
		if got := phase(c.containers); got != c.want {
			t.Errorf("%s: phase %s, want %s", sentence, got, c.want)
		}
	}
}

func TestConditionKeepsTheTimeOfItsLastChange(t *testing.T) {
	before := metav1.NewTime(time.Now().Add(-time.Hour))
	old := conditions(nil, false)
	for i := range old {
		old[i].LastTransitionTime = before
	}
	for _, c := range conditions(old, true) {
		changed := c.Type == corev1.PodReady || c.Type == corev1.ContainersReady
		if changed == c.LastTransitionTime.Equal(&before) {
			t.Errorf("condition %s has time %s; only what changed has a new one", c.Type, c.LastTransitionTime)
		}
	}
}

func TestAddressesAreReusedLast(t *testing.T) {
	a := newAddresses()
	first, err := a.take()
	if err != nil {
		t.Fatal(err)
	}
	a.giveBack(first)
	second, err := a.take()
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Addr{netip.MustParseAddr("10.244.0.1"), netip.MustParseAddr("10.244.0.2")}
	if got := []netip.Addr{first, second}; got[0] != want[0] || got[1] != want[1] {
		t.Errorf("took %v, want %v", got, want)
	}
	for range 1 << 16 {
		if _, err := a.take(); err != nil {
			want := "every address of 10.244.0.0/16 is taken"
			if err.Error() != want {
				t.Errorf("error %q, want %q", err, want)
			}
			return
		}
	}
	t.Error("more addresses than there are were given out")
}

func TestScrape(t *testing.T) {
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{}
		p.Namespace, p.Name = "shop", "web-1"
		p.Labels = map[string]string{"app.kubernetes.io/name": "web"}
		p.Annotations = map[string]string{"prometheus.io/scrape": "true"}
		p.Status.PodIP = "10.244.0.1"
		change(p)
		return p
	}
	labels := map[string]string{"namespace": "shop", "pod": "web-1", "label_app_kubernetes_io_name": "web", "__metrics_path__": "/metrics"}
	got, ok := scrape(pod(func(*corev1.Pod) {}))
	if diff := cmp.Diff(group{Targets: []string{"10.244.0.1:8080"}, Labels: labels}, got); !ok || diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for sentence, p := range map[string]*corev1.Pod{
		"did not ask for it": pod(func(p *corev1.Pod) { p.Annotations = nil }),
		"has no address yet": pod(func(p *corev1.Pod) { p.Status.PodIP = "" }),
		"has ended":          pod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
	} {
		if _, ok := scrape(p); ok {
			t.Errorf("a pod that %s is scraped", sentence)
		}
	}
}
