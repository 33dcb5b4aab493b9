package security

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
)

func jobOfTenant(u *user) {
	u.optIn("job=their-job, 50%", nil)
	u.ship("v2")
	u.await(reason.JobUnavailable, "there is no CronJob their-job")
	for _, namespace := range []string{u.Namespace, tenant} {
		var jobs batchv1.JobList
		u.must(shared.Client().List(u.Context(), &jobs, client.InNamespace(namespace)))
		if len(jobs.Items) > 0 {
			u.Errorf("there is Job %s/%s", namespace, jobs.Items[0].Name)
		}
	}
}

func analysisThatIsNotThere(text, words string) func(*user) {
	return func(u *user) {
		u.optIn("50%", map[string]any{spec.AnnotationAnalysis: text})
		u.ship("v2")
		u.await(reason.InvalidAnnotation, words)
		u.isHeld()
		u.noCanary()
	}
}

// theirSeries are queries for series of the tenant. Without Headgate each has an answer.
var theirSeries = []string{
	`up{namespace="tenant"}`,
	`{__name__="up", namespace=~"ten.+"}`,
	`{"up", "namespace"="tenant"}`,
	`up{namespace!="{{namespace}}"}`,
	`up unless up{namespace="{{namespace}}"}`,
	`label_replace(up{namespace="tenant"}, "namespace", "{{namespace}}", "", "")`,
	`max_over_time(up{namespace="tenant"}[30s:1s])`,
	`last_over_time({namespace="tenant"}[30s])`,
	`up{namespace="tenant"} offset 1s`,
	`sum by (namespace) (up{namespace!~"{{namespace}}"})`,
	`up{namespace=~"tenant|{{namespace}}"} unless on (namespace) up{namespace="{{namespace}}"}`,
}

func seriesOfTenant(u *user) {
	c, err := api.NewClient(api.Config{Address: shared.Prometheus.URL()})
	u.must(err)
	for _, query := range theirSeries {
		query = strings.ReplaceAll(query, "{{namespace}}", u.Namespace)
		u.must(lab.Poll(u.within(time.Minute), func() error {
			answer, _, _, err := promv1.NewAPI(c).Query(u.Context(), query, time.Time{})
			if vector, ok := answer.(model.Vector); err == nil && (!ok || len(vector) == 0) {
				err = fmt.Errorf("%s has no answer, so it shows nothing", query)
			}
			return err
		}))
	}
	analysis, err := json.Marshal(map[string]any{"interval": "1s", "inconclusiveLimit": 1, "metrics": []any{
		map[string]any{"name": "own", "query": "count(up)", "condition": ">= 1"},
		map[string]any{"name": "theirs", "query": "(" + strings.Join(theirSeries, ") or (") + ")", "condition": "< 0"},
	}})
	u.must(err)
	u.optIn("50%, analysis, 100%", map[string]any{spec.AnnotationAnalysis: string(analysis)})
	u.ship("v2")
	u.await(reason.AnalysisLimitExceeded, "theirs: no data")
}

func providerOfTenant(u *user) {
	u.optIn("50%, analysis, 100%", map[string]any{spec.AnnotationAnalysis: scores("path: /x")})
	u.ship("v2")
	u.awaitEvent("the operator has set up this provider for other namespaces than " + u.Namespace)
}

// routesOfTenant names an object that only the tenant has.
func routesOfTenant(key string, want reason.Reason) func(*user) {
	return func(u *user) {
		u.optIn("50%", map[string]any{key: "theirs"})
		u.ship("v2")
		u.await(want, fmt.Sprintf(`"theirs", which is not in namespace %q`, u.Namespace))
		u.isHeld()
		u.noCanary()
	}
}

// ownTrack would keep canary pods apart by a label that stable pods do not have.
func ownTrack(u *user) {
	u.optIn("50%", map[string]any{spec.AnnotationTrackLabel: spec.LabelRollout})
	u.ship("v2")
	u.await(reason.CanaryIndistinct, spec.LabelRollout)
	u.noCanary()
}

func hostOfTenant(host, words string) func(*user) {
	return func(u *user) {
		u.optIn("0%, pause, 50%", map[string]any{spec.AnnotationPreviewHost: host})
		u.ship("v2")
		u.await(reason.PreviewHostRefused, words)
		var ingresses netv1.IngressList
		u.must(u.List(u.Context(), &ingresses, client.InNamespace(u.Namespace)))
		for _, ing := range ingresses.Items {
			for _, rule := range ing.Spec.Rules {
				if rule.Host != u.Host() {
					u.Errorf("Ingress %s serves %s", ing.Name, rule.Host)
				}
			}
		}
	}
}

func gateBehindTheWebhook(u *user) {
	u.optIn("50%", nil)
	for i, address := range []string{"http://" + elsewhere.address + "/open", "http://" + gates.address + "/open/../admin"} {
		gate := map[string]any{spec.AnnotationGates: "start " + address}
		u.must(annotate(u.Context(), behindTheWebhook(u.T), u.Deployment(), gate))
		if i == 0 {
			u.ship("v2")
		}
		u.await(reason.AwaitingGate, fmt.Sprintf("%q", address))
		u.isHeld()
	}
}

func gateThatRedirects(u *user) {
	u.optIn("50%", map[string]any{spec.AnnotationGates: "start http://" + gates.address + "/open/redirect"})
	u.ship("v2")
	u.await(reason.AwaitingGate, "answered 307 Temporary Redirect")
}

func commandForAnother(u *user) {
	u.optIn("0%, pause", nil)
	u.ship("v2")
	u.await(reason.AwaitingPromotion, "")
	u.command("promote-full:1")
	u.awaitEvent("promote-full:1")
	u.isHeld()
}

// inventedMarkers are those of a template that is released.
func inventedMarkers(u *user) {
	u.optIn("0%, pause, 50%", nil)
	invented := map[string]any{spec.AnnotationRollout: "9", spec.AnnotationPhase: string(spec.Promoting)}
	u.must(annotate(u.Context(), u, u.Deployment(), invented))
	if dep := u.now(); dep.Annotations[spec.AnnotationRollout] != "" || dep.Annotations[spec.AnnotationPhase] != "" {
		u.Errorf("at rest: %v", dep.Annotations)
	}
	u.ship("v2")
	u.await(reason.AwaitingPromotion, "")
	released, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": invented}, "spec": map[string]any{"paused": false},
	})
	u.must(err)
	u.must(u.Patch(u.Context(), u.Deployment(), client.RawPatch(types.MergePatchType, released)))
	u.isHeld()
	for key, value := range invented {
		if u.now().Annotations[key] == value {
			u.Errorf("%s is what the user wrote: %s", key, value)
		}
	}
}

// inventedState says that every step passed. What counts is the condition, which the user may
// not write.
func inventedState(u *user) {
	u.optIn("50%, pause, 100%", nil)
	u.ship("v2")
	u.await(reason.AwaitingPromotion, "")
	canary := u.canary()
	u.must(u.Get(u.Context(), client.ObjectKeyFromObject(canary), canary))
	state, err := rollout.DecodeState(canary.Annotations[spec.AnnotationState])
	u.must(err)
	state.Mode, state.Step, state.Weight = rollout.ModePromoting, len(state.Steps), 100
	text, err := state.Encode()
	u.must(err)
	u.must(annotate(u.Context(), u, canary, map[string]any{spec.AnnotationState: text}))
	status, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []any{map[string]any{
		"type": spec.ConditionState, "status": "True", "message": rollout.StateMessage(canary.UID, text),
	}}}})
	u.must(err)
	err = u.Status().Patch(u.Context(), u.Deployment(), client.RawPatch(types.StrategicMergePatchType, status))
	if !apierrors.IsForbidden(err) {
		u.Errorf("the user writes the condition with the state: %v", err)
	}
	u.command(spec.VerbPause)
	u.await(reason.PausedByCommand, "weight 50")
	u.isHeld()
}

// inventedRules take the place of the rules of a rollout that has begun. They reach no
// further than those of the annotation.
func inventedRules(u *user) {
	analysis := `{interval: 1s, metrics: [{name: m, query: count(up), condition: ">= 1"}]}`
	u.optIn("50%, pause, 100%", map[string]any{spec.AnnotationAnalysis: analysis})
	u.ship("v2")
	u.await(reason.AwaitingPromotion, "")
	u.must(annotate(u.Context(), u, u.canary(), map[string]any{spec.AnnotationAnalysisRules: "recipe/hidden"}))
	u.awaitEvent("there is no such recipe")
	u.must(annotate(u.Context(), u, u.canary(), map[string]any{spec.AnnotationAnalysisRules: scores("path: /x")}))
	u.awaitEvent("the operator has set up this provider for other namespaces than " + u.Namespace)
}

// inventedMark says that an autoscaler is held for the tenant's Deployment.
func inventedMark(u *user) {
	hpa := u.Autoscaler(1, 3, 100)
	hpa.Annotations = map[string]string{spec.AnnotationScaleDown: `{"deployment":"theirs"}`}
	u.must(u.Create(u.Context(), hpa))
	u.optIn("50%, pause, 100%", nil)
	u.ship("v2")
	u.await(reason.AwaitingPromotion, "")
	u.command(spec.VerbPromoteFull)
	u.await(reason.Promoted, "")
	now := &autoscalingv2.HorizontalPodAutoscaler{}
	u.must(u.Get(u.Context(), client.ObjectKeyFromObject(hpa), now))
	if *now.Spec.MinReplicas != 1 || now.Spec.MaxReplicas != 3 {
		u.Errorf("the autoscaler is another one: %+v", now.Spec)
	}
}

// inventedPods have the labels of canary pods, and their ReplicaSet the mark of one that takes
// them over.
func inventedPods(u *user) {
	u.optIn("50%, pause, 100%", nil)
	u.ship("v2")
	u.await(reason.AwaitingPromotion, "")
	bait := lab.Sample{Namespace: u.Namespace, Name: "bait", Version: "v9"}.Deployment()
	bait.Annotations = map[string]string{spec.AnnotationAdoptedBy: u.Name}
	labels := bait.Spec.Template.Labels
	labels[spec.LabelCanary], labels[spec.LabelManagedBy] = u.Name, spec.ManagedBy
	labels[spec.LabelRollout] = u.now().Annotations[spec.AnnotationRollout]
	u.must(u.Create(u.Context(), bait))
	u.must(shared.Available(u.within(time.Minute), bait))
	own := u.podsOf("bait")
	u.command(spec.VerbPromoteFull)
	u.await(reason.Promoted, "")
	u.must(shared.Available(u.within(time.Minute), u.Deployment()))
	for _, pod := range u.podsOf(u.Name) {
		if image := pod.Spec.Containers[0].Image; image != lab.Image("v2") && pod.DeletionTimestamp == nil {
			u.Errorf("Pod %s of the application runs %s", pod.Name, image)
		}
	}
	if now := u.podsOf("bait"); len(now) != 1 || now[0].UID != own[0].UID || now[0].DeletionTimestamp != nil {
		u.Errorf("the pods of the other Deployment are %v", now)
	}
}

// podsOf returns the pods of an application, as the user.
func (u *user) podsOf(app string) []corev1.Pod {
	u.Helper()
	var pods corev1.PodList
	u.must(u.List(u.Context(), &pods, client.InNamespace(u.Namespace), client.MatchingLabels{"app": app}))
	return pods.Items
}

// pretendedRestart changes the image and the time of the last restart in one write.
func pretendedRestart(u *user) {
	u.optIn("0%, pause", map[string]any{spec.AnnotationRestart: string(spec.RestartRolling)})
	now := u.now()
	next := now.DeepCopy()
	metav1.SetMetaDataAnnotation(&next.Spec.Template.ObjectMeta, spec.AnnotationRestartedAt, "2026-11-22T10:00:00Z")
	next.Spec.Template.Spec.Containers[0].Image = lab.Image("v2")
	u.must(u.Patch(u.Context(), next, client.MergeFrom(now)))
	u.isHeld()
}

func (u *user) canary() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: u.Namespace, Name: u.Name + "-canary"}}
}

func (u *user) noCanary() {
	u.Helper()
	canary := u.canary()
	if err := shared.Client().Get(u.Context(), client.ObjectKeyFromObject(canary), canary); !apierrors.IsNotFound(err) {
		u.Errorf("there is a canary: %v", err)
	}
}
