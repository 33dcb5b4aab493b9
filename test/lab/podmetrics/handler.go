package podmetrics

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// PerRequest is what one request per second costs, in millicores: a request counts as 10 ms of CPU time.
const PerRequest = 10

// api answers as the metrics API.
type api struct {
	pods  client.Reader
	meter *meter
}

// Handler serves the metrics API for the pods that reader lists: discovery, and
// PodMetrics by list (with a label selector) and by name.
func Handler(reader client.Reader) http.Handler {
	a := &api{pods: reader, meter: newMeter()}
	const root = "GET /apis/metrics.k8s.io/v1beta1"
	mux := http.NewServeMux()
	mux.HandleFunc(root, discover)
	mux.HandleFunc(root+"/pods", a.list)
	mux.HandleFunc(root+"/namespaces/{namespace}/pods", a.list)
	mux.HandleFunc(root+"/namespaces/{namespace}/pods/{name}", a.get)
	return mux
}

func discover(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, &metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: v1beta1.SchemeGroupVersion.String(),
		APIResources: []metav1.APIResource{{
			Name: "pods", Namespaced: true, Kind: "PodMetrics", Verbs: metav1.Verbs{"get", "list"},
		}},
	})
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		refuse(w, apierrors.NewBadRequest(err.Error()))
		return
	}
	var pods corev1.PodList
	err = a.pods.List(r.Context(), &pods, client.InNamespace(r.PathValue("namespace")), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		refuse(w, apierrors.NewInternalError(err))
		return
	}
	answer(w, http.StatusOK, &v1beta1.PodMetricsList{
		TypeMeta: typeMeta("PodMetricsList"),
		Items:    a.measure(r.Context(), pods.Items),
	})
}

func (a *api) get(w http.ResponseWriter, r *http.Request) {
	var pod corev1.Pod
	key := client.ObjectKey{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
	if err := a.pods.Get(r.Context(), key, &pod); client.IgnoreNotFound(err) != nil {
		refuse(w, apierrors.NewInternalError(err))
		return
	}
	items := a.measure(r.Context(), []corev1.Pod{pod})
	if len(items) == 0 {
		refuse(w, apierrors.NewNotFound(v1beta1.Resource("pods"), key.Name))
		return
	}
	answer(w, http.StatusOK, &items[0])
}

// measure asks all pods in parallel. It leaves out pods that do not run the sample service,
// do not answer, or were not asked before; a real metrics server does the same.
func (a *api) measure(ctx context.Context, pods []corev1.Pod) []v1beta1.PodMetrics {
	var mu sync.Mutex
	var asking sync.WaitGroup
	items := []v1beta1.PodMetrics{} // never nil: in JSON an empty list is not null
	for i := range pods {
		asking.Go(func() {
			if m, ok := a.pod(ctx, &pods[i]); ok {
				mu.Lock()
				defer mu.Unlock()
				items = append(items, m)
			}
		})
	}
	asking.Wait()
	slices.SortFunc(items, func(x, y v1beta1.PodMetrics) int {
		return strings.Compare(x.Namespace+"/"+x.Name, y.Namespace+"/"+y.Name)
	})
	return items
}

func (a *api) pod(ctx context.Context, pod *corev1.Pod) (v1beta1.PodMetrics, bool) {
	if pod.Status.Phase != corev1.PodRunning || pod.Status.PodIP == "" {
		return v1beta1.PodMetrics{}, false
	}
	now, err := scrape(ctx, pod)
	if err != nil {
		return v1beta1.PodMetrics{}, false
	}
	r, ok := a.meter.add(pod.UID, now)
	return podMetrics(pod, r), ok
}

func podMetrics(pod *corev1.Pod, r rate) v1beta1.PodMetrics {
	cpu := resource.NewMilliQuantity(int64(r.perSecond*PerRequest), resource.DecimalSI)
	return v1beta1.PodMetrics{
		TypeMeta:   typeMeta("PodMetrics"),
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, Labels: pod.Labels, CreationTimestamp: metav1.NewTime(r.at)},
		Timestamp:  metav1.NewTime(r.at),
		Window:     metav1.Duration{Duration: r.over.Round(time.Millisecond)},
		Containers: []v1beta1.ContainerMetrics{{
			Name: pod.Spec.Containers[0].Name, Usage: corev1.ResourceList{corev1.ResourceCPU: *cpu},
		}},
	}
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{Kind: kind, APIVersion: v1beta1.SchemeGroupVersion.String()}
}

func refuse(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	answer(w, int(status.Code), &status)
}

func answer(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object) // a client that went away wants no answer
}
