package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/rollout/status"
	"github.com/headgate/headgate/test/lab"
)

// plugin runs "kubectl headgate" in the namespace of s, and returns how it ended.
func (s *service) plugin(args ...string) (code int, out string) {
	s.Helper()
	cmd := shared.Kubectl(s.within(2*time.Minute), append([]string{"headgate", "-n", s.Namespace}, args...)...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	_ = cmd.Run() // the exit code tells
	if cmd.ProcessState == nil {
		s.Fatalf("%s did not run", cmd)
	}
	return cmd.ProcessState.ExitCode(), text.String()
}

func (s *service) pluginEnds(want int, part string, args ...string) {
	s.Helper()
	if code, out := s.plugin(args...); code != want || !strings.Contains(out, part) {
		s.Errorf("kubectl headgate %v: exit code %d, want %d and %q:\n%s", args, code, want, part, out)
	}
}

// TestPlugin goes through a good and a bad version with kubectl headgate alone.
func TestPlugin(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause, 100%, 1s", spec.AnnotationAnalysis: good})
	s.await(20*time.Second, reason.Ready)
	s.pluginEnds(0, "Idle", "list")
	s.pluginEnds(0, "nothing would keep a rollout from beginning", "doctor", "web")
	s.pluginEnds(0, "promotion by adoption", "plan", "web")

	s.ship("v2", nil)
	s.pluginEnds(4, "weight 50", "status", "web", "--wait")
	code, out := s.plugin("status", "web", "-o", "json")
	var seen status.Status
	if err := json.Unmarshal([]byte(out), &seen); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v:\n%s", code, err, out)
	}
	if seen.Step == nil || seen.Step.Number != 2 || seen.Weight.Written == nil || *seen.Weight.Written != 50 ||
		seen.Canary == nil || len(seen.Canary.Pods) != 2 || len(seen.Stable.Pods) != 4 || len(seen.Events) == 0 || len(seen.Unread) > 0 {
		t.Errorf("the status is\n%s", out)
	}
	if !slices.Contains(seen.Stable.Images, "headgate.dev/lab/app:v1") || !slices.Contains(seen.Canary.Images, "headgate.dev/lab/app:v2") {
		t.Errorf("stable is %v, the canary is %v", seen.Stable.Images, seen.Canary.Images)
	}
	s.pluginEnds(1, "nothing is paused by command", "resume", "web")
	s.pluginEnds(0, "promote would be given to rollout", "promote", "web", "--dry-run")
	s.pluginEnds(0, "It waits for a person", "explain", "web")
	s.pluginEnds(0, "", "promote", "web")
	s.pluginEnds(0, "Idle", "status", "web", "--wait", "--timeout", "1m")
	s.gone(30 * time.Second)
	s.pluginEnds(0, "Promoted", "history", "web")

	s.Annotations[spec.AnnotationSteps] = "50%, 10s, 100%, 1s"
	s.ship("v3", map[string]string{"ERROR_RATE": "0.5"})
	s.pluginEnds(2, "RolledBack", "status", "web", "--wait", "--timeout", "1m")
	s.pluginEnds(0, "MeasurementFailed", "events", "web")
	s.over()
	s.pluginEnds(0, "would put the template of", "cleanup", "--dry-run")
	s.pluginEnds(0, "web: done", "cleanup", "--timeout", "1m")
	s.pluginEnds(0, "Idle", "status", "web")
}

// optedIn is a Deployment that is opted in, without a Service and without load.
func optedIn(t *testing.T) *service {
	t.Helper()
	s := &service{T: t, Sample: lab.Sample{Name: "web", Version: "v1", Replicas: 1}}
	s.Namespace, s.Annotations = newNamespace(t), map[string]string{spec.AnnotationStrategy: "canary"}
	s.ship("v1", nil)
	return s
}

// TestPluginWithFewRights runs the plugin with the token of a ServiceAccount that may read Deployments and nothing else.
func TestPluginWithFewRights(t *testing.T) {
	t.Parallel()
	s := optedIn(t)
	meta := metav1.ObjectMeta{Namespace: s.Namespace, Name: "reader"}
	s.must(shared.Client().Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: meta}))
	s.must(shared.Client().Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "list"}},
	}}))
	s.must(shared.Client().Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: s.Namespace, Name: meta.Name}},
	}))
	config, err := shared.ConfigFor(t.Context(), s.Namespace, meta.Name)
	s.must(err)
	token := "--token=" + config.BearerToken

	s.pluginEnds(0, "web", "list", token)
	s.pluginEnds(0, "you may not read or write pods here", "status", "web", token)
	s.pluginEnds(0, "Idle", "status", "web", token)
	s.pluginEnds(0, "Idle", "explain", "web", token)
	s.pluginEnds(0, "web\t", "__complete", "status", token, "")
	s.pluginEnds(1, "you may not read or write deployments here", "list", "-A", token)
	s.pluginEnds(1, "you may not read or write replicasets here", "history", "web", token)
	s.pluginEnds(1, "is refused: ", "abort", "web", "--yes", token)
}

// TestPluginCompletes asks kubectl itself, as a shell does.
func TestPluginCompletes(t *testing.T) {
	t.Parallel()
	s := optedIn(t)
	_, program := s.plugin("completion", "kubectl")
	path := t.TempDir()
	s.must(os.WriteFile(filepath.Join(path, "kubectl_complete-headgate"), []byte(program), 0o700))
	for line, want := range map[string]string{
		"headgate stat": "status\t",
		"headgate -n " + s.Namespace + " status ":   "web\t",
		"headgate status -n " + s.Namespace[:5]:     s.Namespace,
		"headgate -n " + s.Namespace + " list -o w": "wide",
	} {
		cmd := shared.Kubectl(s.within(time.Minute), append([]string{"__complete"}, strings.Split(line, " ")...)...)
		for i, v := range cmd.Env {
			if rest, is := strings.CutPrefix(v, "PATH="); is {
				cmd.Env[i] = "PATH=" + path + ":" + rest
			}
		}
		if out, err := cmd.Output(); err != nil || !strings.Contains("\n"+string(out), "\n"+want) {
			t.Errorf("%q: %v, want %q in:\n%s", line, err, want, out)
		}
	}
}

// TestPluginConverts hands what was converted to the API server and to Headgate's webhook.
func TestPluginConverts(t *testing.T) {
	t.Parallel()
	s := &service{T: t, Sample: lab.Sample{Name: "web"}}
	s.Namespace = newNamespace(t)
	inputs, err := filepath.Glob("../../cmd/kubectl-headgate/convert/testdata/[af]*.yaml")
	if err != nil || len(inputs) < 10 {
		t.Fatalf("found %d inputs: %v", len(inputs), err)
	}
	for _, input := range inputs {
		text, err := os.ReadFile(input)
		s.must(err)
		file := filepath.Join(t.TempDir(), filepath.Base(input))
		s.must(os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "namespace: shop", "namespace: "+s.Namespace)), 0o600))
		cmd := shared.Kubectl(s.within(time.Minute), "headgate", "convert", "-f", file)
		manifests, _ := cmd.Output() // the exit code is 3 where something was lost
		apply := shared.Kubectl(s.within(time.Minute), "-n", s.Namespace, "create", "--dry-run=server", "-f", "-")
		apply.Stdin = bytes.NewReader(manifests)
		if out, err := apply.CombinedOutput(); err != nil && !onlyOperators(string(out)) {
			t.Errorf("%s: %v:\n%s", filepath.Base(input), err, out)
		}
	}
}

// TestPluginConvertsWhatRuns converts a Rollout of the sample service, and rolls out a version by what came of it.
func TestPluginConvertsWhatRuns(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	s.await(20*time.Second, reason.Ready)
	s.Annotations = nil
	dep := s.manifest(s.Deployment()).Object
	rollout := map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": dep["metadata"], "spec": dep["spec"]}
	content := rollout["spec"].(map[string]any)
	delete(content, "strategy")
	content["strategy"] = map[string]any{"canary": map[string]any{
		"stableService": "web", "canaryService": "web-next", "trafficRouting": map[string]any{"nginx": map[string]any{"stableIngress": "web"}},
		"analysis": map[string]any{"templates": []any{map[string]any{"templateName": "up"}}},
		"steps": []any{
			map[string]any{"setWeight": 50}, map[string]any{"pause": map[string]any{"duration": 2}}, map[string]any{"pause": map[string]any{}},
		},
	}}
	template := map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
		"metadata": map[string]any{"name": "up", "namespace": s.Namespace}, "spec": map[string]any{"metrics": []any{map[string]any{
			"name": "up", "interval": "1s", "successCondition": "result[0] >= 1",
			"provider": map[string]any{"prometheus": map[string]any{"query": "vector(1)"}},
		}}}}
	s.Annotations = s.converted("Deployment", rollout, template)
	s.ship("v2", nil)
	s.pluginEnds(4, "weight 50", "status", "web", "--wait", "--timeout", "1m")
	s.pluginEnds(0, "", "promote", "web")
	s.pluginEnds(0, "Idle", "status", "web", "--wait", "--timeout", "1m")
	s.pluginEnds(0, "Promoted", "history", "web")
	s.over()
}

// TestPluginConvertsACanary does the same with a Canary of Flagger: a good version is promoted, and a bad one goes back.
func TestPluginConvertsACanary(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	s.await(20*time.Second, reason.Ready)
	s.Annotations = nil
	canary := map[string]any{
		"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": map[string]any{"name": "web", "namespace": s.Namespace},
		"spec": map[string]any{
			"targetRef":  map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
			"ingressRef": map[string]any{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "web"},
			"service":    map[string]any{"port": 80, "targetPort": "http"},
			"analysis": map[string]any{
				"interval": "5s", "threshold": 1, "stepWeights": []any{20, 50},
				"metrics": []any{map[string]any{"name": "request-success-rate", "thresholdRange": map[string]any{"min": 99}}},
			},
		},
	}
	s.Annotations = s.converted("Deployment Service", s.manifest(s.Deployment()).Object, canary)
	s.ship("v2", nil)
	s.pluginEnds(0, "Idle", "status", "web", "--wait", "--timeout", "3m")
	s.pluginEnds(0, "Promoted", "history", "web")
	s.ship("v3", map[string]string{"ERROR_RATE": "0.5"})
	s.pluginEnds(2, "RolledBack", "status", "web", "--wait", "--timeout", "3m")
	if r := s.over(); r.Versions()["v3"] == 0 {
		t.Error("no request went to the bad version: nothing judged it")
	}
}

// converted returns the annotations of the Deployment that comes of objects, as the first of these kinds.
func (s *service) converted(kinds string, objects ...any) map[string]string {
	s.Helper()
	text, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	s.must(err)
	file := filepath.Join(s.TempDir(), "objects.yaml")
	s.must(os.WriteFile(file, text, 0o600))
	code, out := s.plugin("convert", "-f", file, "-o", "json")
	var printed struct {
		Manifests []struct {
			Kind     string
			Metadata struct{ Annotations map[string]string }
		}
	}
	// The remarks follow the JSON. The exit code is 3 where something was lost.
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&printed); err != nil || code != 0 {
		s.Fatalf("exit code %d, %v:\n%s", code, err, out)
	}
	var made []string
	for _, m := range printed.Manifests {
		made = append(made, m.Kind)
	}
	if got := strings.Join(made, " "); got != kinds {
		s.Fatalf("made %s, want %s:\n%s", got, kinds, out)
	}
	return printed.Manifests[0].Metadata.Annotations
}

// onlyOperators says whether kubectl was refused only what the operator must allow, and a remark says so.
func onlyOperators(out string) bool {
	refused := false
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "rror") && !strings.Contains(line, "annotation ") {
			continue
		}
		refused = true
		if !strings.Contains(line, "unknown provider") && !strings.Contains(line, "the operator allows gates at") {
			return false
		}
	}
	return refused
}
