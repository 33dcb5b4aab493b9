package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/underload"
	"github.com/headgate/headgate/webhook"
)

// TestEveryWayToHold sends every write of the table to the webhook, to the API server
// while no pod of Headgate runs, and to the policy.
func TestEveryWayToHold(t *testing.T) {
	giveBack := takeLease(t)
	t.Run("webhook", func(t *testing.T) {
		install(t, nil)
		sendAll(t, func(w write) (stored, verdict) { return w.want, "" })
	})
	t.Run("no pod, Fail", func(t *testing.T) {
		scale(t, 0)
		sendAll(t, func(w write) (stored, verdict) { return stored{}, w.fail })
	})
	t.Run("no pod, Ignore, guard", func(t *testing.T) {
		install(t, map[string]string{"webhook.failurePolicy": "Ignore"})
		scale(t, 0)
		awaitGuard(t)
		sendAll(t, func(w write) (stored, verdict) { return stored{}, w.ignore })
	})
	t.Run("policy, no pod", func(t *testing.T) {
		install(t, map[string]string{"admission.mode": "policy"})
		scale(t, 0)
		sendAll(t, func(w write) (stored, verdict) {
			if w.policy != nil {
				return w.policy.want, ""
			}
			return w.want, ""
		})
	})
	giveBack()
}

// sendAll sends every write of the table. expected is what must be stored, or only whether
// something is.
func sendAll(t *testing.T, expected func(write) (stored, verdict)) {
	ns := underload.Namespace(t, shared, "admission-")
	t.Run("cases", func(t *testing.T) {
		for i, name := range slices.Sorted(maps.Keys(cases)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := sender{T: t, write: cases[name], name: fmt.Sprintf("web-%d", i), namespace: ns}
				if s.in != "" {
					s.namespace = s.in
				}
				s.run(expected(s.write))
			})
		}
	})
}

// sender sends one write.
type sender struct {
	*testing.T
	write
	name, namespace string
	old             *appsv1.Deployment
	warnings        []string
}

func (s *sender) run(want stored, only verdict) {
	s.prepare()
	now, err := s.send()
	refused := apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsInternalError(err) || apierrors.IsInvalid(err)
	if err != nil && !refused {
		s.Fatalf("neither stored nor refused: %v", err)
	}
	if err == nil {
		s.isSafe(now)
	}
	if only != "" {
		if refused := err != nil; refused != (only == refuses) {
			s.Errorf("the API server should have said %s: %v", only, err)
		}
		return
	}
	if want.Denied != "" {
		if err == nil || !strings.Contains(err.Error(), want.Denied) {
			s.Errorf("error = %v, want one with %q", err, want.Denied)
		}
		return
	}
	must(s.T, err)
	s.compare(want, now)
}

func (s *sender) compare(want stored, now *appsv1.Deployment) {
	s.Helper()
	if want.Rollout == "next" {
		want.Rollout = strconv.FormatInt(s.old.Generation+1, 10)
	}
	if want.Image == "" {
		want.Image = "v2"
	}
	warned := strings.ReplaceAll(want.Warned, "NAME", s.name)
	want.Warned = ""
	got := stored{
		Paused: now.Spec.Paused, Rollout: now.Annotations[spec.AnnotationRollout], Phase: now.Annotations[spec.AnnotationPhase],
		Command: now.Annotations[spec.AnnotationCommand],
		Image:   strings.TrimPrefix(now.Spec.Template.Spec.Containers[0].Image, lab.AppImage+":"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("stored (-want +got):\n%s", diff)
	}
	if warned == "" && len(s.warnings) > 0 || warned != "" && (len(s.warnings) != 1 || !strings.Contains(s.warnings[0], warned)) {
		s.Errorf("warnings are %q, want %q", s.warnings, warned)
	}
}

// isSafe checks what no setting may ever store: a template of an opted-in Deployment
// that should wait and does not. Package webhook says which should.
func (s *sender) isSafe(now *appsv1.Deployment) {
	s.Helper()
	if s.how == releasing || s.in != "" || s.old == nil {
		return
	}
	template := func(dep *appsv1.Deployment) json.RawMessage {
		text, err := json.Marshal(dep.Spec.Template)
		must(s.T, err)
		return text
	}
	should := webhook.Mutate(webhook.Request{
		Old: s.old, New: withoutMistakes(now), OldTemplate: template(s.old), NewTemplate: template(now),
	})
	if should.Decision != webhook.Held && should.Decision != webhook.StillHeld {
		return
	}
	id := should.Deployment.Annotations[spec.AnnotationRollout]
	if !now.Spec.Paused || now.Annotations[spec.AnnotationRollout] != id {
		s.Errorf("stored and not held (%s as rollout %s): paused %v, annotations %v", should.Decision, id, now.Spec.Paused, now.Annotations)
	}
}

// withoutMistakes leaves out what the webhook would deny, so that it decides about the
// template.
func withoutMistakes(dep *appsv1.Deployment) *appsv1.Deployment {
	dep = dep.DeepCopy()
	for _, key := range []string{"steps", "step", "command", "analysis", "gates", "progress-deadline"} {
		without(key)(dep)
	}
	if spec.OptedIn(dep.Annotations) {
		annotated("strategy", "canary")(dep)
	}
	return dep
}

// manifest is what a user has in git, edited.
func (s *sender) manifest(list []edit) *appsv1.Deployment {
	dep := lab.Sample{
		Namespace: s.namespace, Name: s.name, Version: "v1", Replicas: 3, Annotations: map[string]string{spec.AnnotationStrategy: "canary"},
	}.Deployment()
	for _, e := range list {
		e(dep)
	}
	return dep
}

// prepare stores the Deployment as it was before the write.
func (s *sender) prepare() {
	if s.in != "" {
		s.Cleanup(func() { _ = shared.Client().Delete(context.Background(), s.manifest(nil)) })
	}
	if s.how == creating {
		return
	}
	must(s.T, applyAs(s.Context(), asManager, s.manifest(nil)))
	s.old = s.manifest(nil)
	must(s.T, asManager.Get(s.Context(), client.ObjectKeyFromObject(s.old), s.old))
	if len(s.was) > 0 {
		s.old = s.patch(asManager, s.was)
	}
	s.awaitCache()
}

// awaitCache waits until the API server's cache has s.old. An update is tried on what the
// cache has first; on something older it would fail, be tried again, and leave the
// warnings of both tries.
func (s *sender) awaitCache() {
	s.Helper()
	must(s.T, lab.Poll(within(s.T, 20*time.Second), func() error {
		cached := s.manifest(nil)
		fromCache := &client.GetOptions{Raw: &metav1.GetOptions{ResourceVersion: "0"}}
		err := anybody.Get(s.Context(), client.ObjectKeyFromObject(cached), cached, fromCache)
		if err == nil && cached.Generation < s.old.Generation {
			err = fmt.Errorf("the cache has generation %d, want %d", cached.Generation, s.old.Generation)
		}
		return err
	}))
}

// send sends the write and returns what is stored then.
func (s *sender) send() (*appsv1.Deployment, error) {
	ctx := context.WithValue(s.Context(), warningsKey{}, &s.warnings)
	var err error
	switch s.how {
	case creating:
		err = anybody.Create(ctx, s.manifest(s.edit))
	case applying:
		err = applyAs(ctx, anybody, s.manifest(s.edit))
	case replacing:
		err = anybody.Update(ctx, s.manifest(s.edit))
	case undoing:
		err = s.undo(ctx, s.manifest(s.edit))
	default:
		err = s.edited(ctx)
	}
	if err != nil {
		return nil, err
	}
	now := s.manifest(nil)
	return now, anybody.Get(s.Context(), client.ObjectKeyFromObject(now), now)
}

func (s *sender) edited(ctx context.Context) error {
	writer := map[sending]client.Client{patching: anybody, releasing: asManager, intruding: asDefault}[s.how]
	next := s.old.DeepCopy()
	for _, e := range s.edit {
		e(next)
	}
	return writer.Patch(ctx, next, client.MergeFrom(s.old))
}

// patch makes a change as writer, and returns what is stored then.
func (s *sender) patch(writer client.Client, list []edit) *appsv1.Deployment {
	s.Helper()
	next := s.old.DeepCopy()
	for _, e := range list {
		e(next)
	}
	must(s.T, writer.Patch(s.Context(), next, client.MergeFrom(s.old)))
	return next
}

// undo does what kubectl rollout undo does: it replaces the template and all annotations
// but those of kubectl and of the Deployment controller.
func (s *sender) undo(ctx context.Context, revision *appsv1.Deployment) error {
	annotations := maps.Clone(revision.Annotations)
	if number, ok := s.old.Annotations["deployment.kubernetes.io/revision"]; ok {
		annotations["deployment.kubernetes.io/revision"] = number
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/spec/template", "value": revision.Spec.Template},
		{"op": "replace", "path": "/metadata/annotations", "value": annotations},
	})
	must(s.T, err)
	return anybody.Patch(ctx, s.manifest(nil), client.RawPatch(types.JSONPatchType, patch))
}

// applyAs is a server-side apply of a manifest, from git.
func applyAs(ctx context.Context, writer client.Client, dep *appsv1.Deployment) error {
	_, running := dep.Annotations[explicit]
	delete(dep.Annotations, explicit)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(dep)
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	unstructured.RemoveNestedField(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	if running {
		if err := unstructured.SetNestedField(u.Object, false, "spec", "paused"); err != nil {
			return err
		}
	}
	return writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("git"), client.ForceOwnership)
}

// Whoever chooses between the modes reads of every difference.
func TestDifferencesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/admission.md")
	must(t, err)
	text := strings.Join(strings.Fields(string(page)), " ")
	for name, w := range cases {
		if w.policy != nil && !strings.Contains(text, w.policy.sentence) {
			t.Errorf("%s: docs/admission.md does not say %q", name, w.policy.sentence)
		}
	}
}
