package lint

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/analysis/provider/prometheus"
	"github.com/headgate/headgate/ingress"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/controller"
	"github.com/headgate/headgate/rollout/controller/autoscaler"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Options say what a Set does not tell.
type Options struct {
	// Live says that the Set has everything that matters: what is missing in it is missing in
	// the cluster.
	Live bool

	// Classes are the names of IngressClasses whose controllers honour canary annotations. They
	// count where the Set has no IngressClass of that name.
	Classes []string

	// Router are the settings of the manager. Without Live, previews may have any host.
	Router ingress.Options
}

// DefaultClass is the class that ingress-nginx usually has.
const DefaultClass = "nginx"

// Result is what Lint found.
type Result struct {
	Deployments []string  `json:"deployments"` // NAMESPACE/NAME of those that are opted in
	Findings    []Finding `json:"findings"`    // in the order of files and lines
}

// Lint looks at every Deployment that is opted in.
func (s *Set) Lint(ctx context.Context, o Options) (Result, error) {
	if !o.Live {
		s.addPods()
		s.addClasses(o.Classes)
	}
	for _, setup := range []func(context.Context, client.FieldIndexer) error{
		ingress.SetupIndexes, controller.SetupIndexes, autoscaler.SetupIndexes,
	} {
		if err := setup(ctx, s); err != nil {
			return Result{}, err
		}
	}
	result := Result{Deployments: []string{}, Findings: append([]Finding{}, s.found...)}
	for _, dep := range slices.Concat(each[*appsv1.Deployment](s), s.partial) {
		l := &linter{set: s, o: o, dep: dep, src: s.sources[dep]}
		l.manifest()
		if spec.OptedIn(dep.Annotations) {
			result.Deployments = append(result.Deployments, dep.Namespace+"/"+dep.Name)
			if err := l.lint(ctx); err != nil {
				return Result{}, err
			}
		}
		result.Findings = append(result.Findings, l.findings...)
	}
	result.Findings = inOrder(result.Findings)
	return result, nil
}

// linter looks at one Deployment.
type linter struct {
	set      *Set
	o        Options
	dep      *appsv1.Deployment
	src      *source // nil: it comes from no file
	wanted   spec.Spec
	findings []Finding
}

// add adds a finding about the Deployment.
func (l *linter) add(severity Severity, rule string, line int, format string, args ...any) {
	l.addAt(l.src, line, severity, rule, fmt.Sprintf(format, args...))
}

func (l *linter) addAt(src *source, line int, severity Severity, rule, message string) {
	f := Finding{Line: line, Severity: severity, Rule: rule, Message: strings.Join(strings.Fields(message), " "), // on one line
		Object: "Deployment " + l.dep.Namespace + "/" + l.dep.Name}
	if src != nil {
		f.File = src.file
	}
	l.findings = append(l.findings, f)
}

// lint looks at a Deployment that is opted in.
func (l *linter) lint(ctx context.Context) error {
	l.annotations()
	if slices.Contains(l.set.partial, l.dep) {
		l.add(Note, notChecked, l.src.line(), "this is a patch and no whole Deployment, so only its annotations were checked: "+
			`render it first, for example "kubectl kustomize . | kubectl headgate lint -f -"`)
		return nil
	}
	if err := l.analysis(ctx); err != nil {
		return err
	}
	l.gates()
	l.deadlines()
	router := ingress.New(l.set, l.set, l.routerOptions())
	preflight := controller.Preflight{Client: l.set, Router: router, Autoscalers: &autoscaler.Holder{Client: l.set}}
	found, err := preflight.Look(ctx, l.dep, l.wanted)
	if err != nil {
		return err
	}
	for _, p := range found.Problems {
		if p.Reason == reason.NoIngress && l.mentions(p.Message, "Ingress") && l.lacksService(found.Problems) {
			continue // this Ingress may lead to a Service that is elsewhere
		}
		l.problem(p)
	}
	for _, n := range found.Notes {
		l.note(n)
	}
	l.ingresses(found.Traffic)
	l.names(found)
	return nil
}

// routerOptions allow any preview host where the settings of the manager are not known.
func (l *linter) routerOptions() ingress.Options {
	o := l.o.Router
	if host := l.wanted.PreviewHost; !l.o.Live && host != "" {
		o.PreviewDomains = []string{parent(host)}
	}
	return o
}

// parent is the domain that host is in.
func parent(host string) string {
	_, domain, _ := strings.Cut(host, ".")
	return domain
}

// aboutKind is the kind of the object without which there is a problem of this reason. If
// it is not in the Set, it may be somewhere else.
var aboutKind = map[reason.Reason]string{
	reason.NoService:           "Service",
	reason.NoIngress:           "Ingress",
	reason.IngressClassUnknown: "IngressClass",
	reason.JobUnavailable:      "CronJob",
}

// lacksService says whether the Service of the Deployment may be elsewhere.
func (l *linter) lacksService(problems []*rollout.Problem) bool {
	return !l.o.Live && slices.ContainsFunc(problems, func(p *rollout.Problem) bool {
		return p.Reason == reason.NoService && !l.mentions(p.Message, "Service")
	})
}

const notAmong = " (not among these files: it may be elsewhere)"

// problem adds what keeps a rollout from beginning.
func (l *linter) problem(p *rollout.Problem) {
	severity, message := Error, p.Message
	if kind := aboutKind[p.Reason]; kind != "" && !l.o.Live && !l.mentions(p.Message, kind) {
		if !l.isWholeApp() {
			return
		}
		severity, message = Warning, message+notAmong
	}
	src, line := l.place(p.Reason, p.Message)
	l.addAt(src, line, severity, string(p.Reason), message)
}

func (l *linter) note(n rollout.Note) {
	severity := Note
	if n.Reason.Warning() {
		severity = Warning
	}
	src, line := l.place(n.Reason, n.Message)
	l.addAt(src, line, severity, string(n.Reason), n.Message)
}

// isWholeApp says whether the files seem to have more than the Deployment: what else it
// needs can be expected to be there too.
func (l *linter) isWholeApp() bool {
	return slices.ContainsFunc(l.set.objects, func(o client.Object) bool {
		switch o.(type) {
		case *corev1.Service, *netv1.Ingress:
			return o.GetNamespace() == l.dep.Namespace
		}
		return false
	})
}

var mention = regexp.MustCompile(
	`\b(Service|Ingress|IngressClass|NetworkPolicy|PodDisruptionBudget|HorizontalPodAutoscaler|Deployment|CronJob|PersistentVolumeClaim) ` +
		`"?([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)`)

// mentioned returns the first object of the Set that message names, other than the
// Deployment. nil: there is none.
func (l *linter) mentioned(message, kind string) client.Object {
	for _, m := range mention.FindAllStringSubmatch(message, -1) {
		if kind != "" && m[1] != kind {
			continue
		}
		if o := l.set.find(m[1], l.dep.Namespace, m[2]); o != nil && o != client.Object(l.dep) {
			return o
		}
	}
	return nil
}

func (l *linter) mentions(message, kind string) bool { return l.mentioned(message, kind) != nil }

// annotationOf is the annotation that a reason is about, if the user wrote it.
var annotationOf = map[reason.Reason]string{
	reason.NoService: spec.AnnotationService, reason.ServiceNotSupported: spec.AnnotationService,
	reason.NoIngress: spec.AnnotationIngress, reason.CanaryIndistinct: spec.AnnotationTrackLabel,
	reason.PreviewHostRefused: spec.AnnotationPreviewHost, reason.JobUnavailable: spec.AnnotationSteps,
	reason.AnalysisSkipped: spec.AnnotationSteps, reason.RollingInstead: spec.AnnotationPromotion,
}

// fieldOf are the fields that a reason is about, in the Deployment or in the object that its
// message names. The first that is there counts.
var fieldOf = map[reason.Reason][][]string{
	reason.RecreateNotSupported: {{"spec", "strategy", "type"}},
	reason.UpdateGap:            {{"spec", "strategy"}, {"spec", "replicas"}},
	reason.VolumeNotShared:      {{"spec", "template", "spec", "volumes"}},
	reason.CanaryNeedsFreeNode:  {{"spec", "template", "spec", "hostNetwork"}, {"spec", "template", "spec", "containers"}},
	reason.IngressClassUnknown:  {{"spec", "ingressClassName"}, {"metadata", "annotations", "kubernetes.io/ingress.class"}},
	reason.IngressNotSupported: {
		{"metadata", "annotations", "nginx.ingress.kubernetes.io/ssl-passthrough"}, {"spec", "defaultBackend"},
	},
	reason.ServiceSelectsOthers: {{"spec", "selector"}},
	reason.CanaryIndistinct:     {{"spec", "selector"}},
	reason.CanaryNotCovered:     {{"spec", "podSelector"}, {"spec", "selector"}},
	reason.ScaleDownNotHeld:     {{"spec", "behavior"}},
}

// place is where a person should look for what a reason and its message say.
func (l *linter) place(r reason.Reason, message string) (*source, int) {
	if key := annotationOf[r]; key != "" && l.src.has("metadata", "annotations", key) {
		return l.src, l.src.annotationLine(key, message)
	}
	if o := l.mentioned(message, ""); o != nil && l.set.sources[o] != nil {
		src := l.set.sources[o]
		return src, src.line(fieldOf[r]...)
	}
	return l.src, l.src.line(fieldOf[r]...)
}

// addPods adds the pods that the workloads of the files would have: a Service may select
// pods of two of them.
func (s *Set) addPods() {
	for _, o := range s.objects {
		var labels map[string]string
		switch o := o.(type) {
		case *appsv1.Deployment:
			labels = o.Spec.Template.Labels
		case *appsv1.StatefulSet:
			labels = o.Spec.Template.Labels
		case *appsv1.DaemonSet:
			labels = o.Spec.Template.Labels
		default:
			continue
		}
		set, pod := &appsv1.ReplicaSet{}, &corev1.Pod{}
		set.Namespace, set.Name, set.UID, set.Labels = o.GetNamespace(), "of-"+o.GetName(), "set of "+o.GetUID(), labels
		set.OwnerReferences = append(set.OwnerReferences, ownerOf(kindOf(o), o.GetName(), o.GetUID()))
		pod.Namespace, pod.Name, pod.Labels = o.GetNamespace(), kindOf(o)+" "+o.GetName(), labels
		pod.OwnerReferences = append(pod.OwnerReferences, ownerOf("ReplicaSet", set.Name, set.UID))
		s.Add(set, pod)
	}
}

// ownerOf is the reference to a controller.
func ownerOf(kind, name string, uid types.UID) metav1.OwnerReference {
	return metav1.OwnerReference{Kind: kind, Name: name, UID: uid, Controller: new(true)}
}

// addClasses adds the classes that are known to honour canary annotations.
func (s *Set) addClasses(names []string) {
	if len(names) == 0 {
		names = []string{DefaultClass}
	}
	for _, name := range names {
		if s.find("IngressClass", "", name) == nil {
			class := &netv1.IngressClass{Spec: netv1.IngressClassSpec{Controller: ingress.DefaultController}}
			class.Name = name
			s.Add(class)
		}
	}
}

// providers are those of a manager that has only Prometheus.
var providers = analysis.Providers{analysis.DefaultProvider: prometheus.None()}

// Analyses reads analyses, with what their ConfigMaps say. It measures nothing.
func Analyses(reader client.Reader) *analysis.Judge {
	return analysis.New(providers, reader, analysis.Options{})
}

// annotations adds what the parsers say, and leaves in l.wanted what can be read.
func (l *linter) annotations() {
	readable := map[string]string{}
	for key, value := range l.dep.Annotations {
		readable[key] = value
	}
	_, err := spec.ParseSpec(l.dep.Annotations)
	for _, fault := range faultsOf(err) {
		delete(readable, fault.key)
		l.add(Error, fault.rule, l.src.annotationLine(fault.key, fault.text), "%s", fault.text)
	}
	readable[spec.AnnotationStrategy] = cmp.Or(readable[spec.AnnotationStrategy], string(spec.Canary))
	if l.wanted, err = spec.ParseSpec(readable); err != nil { // an analysis step needs the analysis that was not readable
		delete(readable, spec.AnnotationSteps)
		l.wanted, _ = spec.ParseSpec(readable)
	}
}
