package controller

import (
	"math"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/rollout/spec"
)

// FuzzStored reads any texts as the conditions and the annotation that hold the state of a
// rollout. They are a state of this canary, or an error that says where it is.
func FuzzStored(f *testing.F) {
	good := `{"rollout":"7","template":"af31","mode":"Progressing","steps":["10%"],"step":0,` +
		`"stepSince":"2026-01-01T12:00:00Z","baseline":4,"began":"2026-01-01T12:00:00Z"}`
	for _, texts := range [][3]string{
		{"canary u2: " + good, "", "Progressing"}, {"canary u3: " + good, good, "Pending"}, {"", good, "RolledBack"}, {"", "", ""},
		{"canary u2: {", good, "Pending"}, {"canary : ", "null", "Pending"}, {"u2: " + good, good, ""}, {"canary u2", "{}", "x"},
	} {
		f.Add(texts[0], texts[1], texts[2])
	}
	f.Fuzz(func(t *testing.T, condition, annotation, phase string) {
		dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
			Name: "web", Namespace: "shop", Annotations: map[string]string{spec.AnnotationPhase: phase},
		}}
		if condition != "" {
			dep.Status.Conditions = []appsv1.DeploymentCondition{{Type: spec.ConditionState, Message: condition}}
		}
		canary := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
			UID: "u2", Annotations: map[string]string{spec.AnnotationState: annotation},
		}}
		s := &snapshot{dep: dep, canaryDep: canary}
		state, err := s.observeState()
		if err != nil {
			if !strings.Contains(err.Error(), spec.ConditionState) && !strings.Contains(err.Error(), spec.AnnotationState) {
				t.Errorf("%v does not say where", err)
			}
			return
		}
		text, encodeErr := state.Encode()
		if _, err := decodeState("here", text); err != nil || encodeErr != nil {
			t.Errorf("a state that was read cannot be stored: %v %v", encodeErr, err)
		}
		s.observeEnd()
		if _, err := s.storedText(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzJobResult reads any termination message: a finite number, or words that say what to
// write, which fit into a condition.
func FuzzJobResult(f *testing.F) {
	for _, text := range []string{
		"0.93", ` {"score": 0.93} `, "NaN", "1e999", `{"score": null}`, `{"score": "1"}`, "", "0x1p-2", "1_000", "\xff", strings.Repeat("9", 400),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, message string) {
		number, ok := parseResult(message)
		if ok && (math.IsNaN(number) || math.IsInf(number, 0)) {
			t.Errorf("%q is %v", message, number)
		}
		if said := describeNoNumber(&corev1.Container{Name: "smoke"}, message); len(said) > 1000 || !strings.Contains(said, "write a number") {
			t.Errorf("%q: %q", message, said)
		}
	})
}

// FuzzPacked unpacks what was packed of any ReplicaSet: a name or an identity with a line feed
// must not become another one's.
func FuzzPacked(f *testing.F) {
	f.Add("web-1", "u1", "7", "abc", "3", "1,2")
	f.Add("", "", "", "", "-1", "x")
	f.Fuzz(func(t *testing.T, name, uid, version, hash, revision, history string) {
		for _, text := range []string{name, uid, version, hash} {
			if strings.Contains(text, "\n") {
				return // the API server accepts none in these
			}
		}
		yes := true
		rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "shop", ResourceVersion: version, Labels: map[string]string{"pod-template-hash": hash},
			Annotations: map[string]string{annotationRevision: revision, annotationRevisionHistory: history},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "d", Controller: &yes,
			}},
		}}
		p := packReplicaSet(rs).unpack()
		if client.ObjectKeyFromObject(p) != client.ObjectKeyFromObject(rs) || p.ResourceVersion != version ||
			p.Labels["pod-template-hash"] != hash || !metav1.IsControlledBy(p, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{UID: "d"}}) {
			t.Errorf("%+v is unpacked as %+v", rs, p)
		}
	})
}
