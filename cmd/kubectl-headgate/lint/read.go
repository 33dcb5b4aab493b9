package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

// Stdin is the name of a file that means standard input.
const Stdin = "-"

// extensions are those of the manifests in a folder.
var extensions = []string{".yaml", ".yml", ".json"}

// Read reads manifests: files, folders with everything below them, and Stdin. An object
// that names no namespace gets the one that is given. An error names each file that cannot
// be read; the Set has the others.
func Read(names []string, stdin io.Reader, namespace string) (*Set, error) {
	s := NewSet()
	r := &reader{set: s, namespace: namespace}
	var failed []error
	for _, name := range names {
		failed = append(failed, r.readAll(name, stdin))
	}
	return s, errors.Join(failed...)
}

type reader struct {
	set       *Set
	namespace string
}

func (r *reader) readAll(name string, stdin io.Reader) error {
	if name == Stdin {
		text, err := io.ReadAll(stdin)
		if err != nil {
			return fmt.Errorf("reading standard input: %w", err)
		}
		return r.read("stdin", text)
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return r.readFile(name)
	}
	var failed []error
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != name && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case !entry.IsDir() && slices.Contains(extensions, filepath.Ext(path)):
			failed = append(failed, r.readFile(path))
		}
		return nil
	})
	return errors.Join(append(failed, err)...)
}

func (r *reader) readFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return r.read(path, text)
}

// read reads the documents of one file.
func (r *reader) read(file string, text []byte) error {
	lines := strings.Split(string(text), "\n")
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			hint := ""
			if bytes.Contains(text, []byte("{{")) {
				hint = `: it seems to be a template; render it first, for example "helm template . | kubectl headgate lint -f -"`
			}
			return fmt.Errorf("%s: %w%s", file, err, hint)
		}
		if len(document.Content) > 0 && document.Content[0].Kind == yaml.MappingNode {
			r.add(&source{file: file, node: document.Content[0], lines: lines})
		}
	}
}

// add adds the object at src, or the items of a list.
func (r *reader) add(src *source) {
	_, kind := lookUp(src.node, []string{"kind"})
	if kind == nil {
		return // values of a chart, or settings of something else
	}
	if _, items := lookUp(src.node, []string{"items"}); items != nil && strings.HasSuffix(kind.Value, "List") {
		for _, item := range items.Content {
			r.add(&source{file: src.file, node: item, lines: src.lines})
		}
		return
	}
	r.repairAnnotations(src, kind.Value)
	obj, err := decode(src.node)
	if err != nil {
		text := "the API server would refuse this object: " + strings.Join(strings.Fields(err.Error()), " ")
		r.set.found = append(r.set.found, Finding{
			File: src.file, Line: src.line(), Severity: Error, Rule: invalidObject, Object: kind.Value, Message: text,
		})
		return
	}
	if obj == nil {
		return
	}
	r.complete(obj)
	if obj.GetLabels()[spec.LabelManagedBy] == spec.ManagedBy { // it is no part of the application
		r.set.found = append(r.set.found, Finding{
			File: src.file, Line: src.line([]string{"metadata", "labels", spec.LabelManagedBy}), Severity: Warning, Rule: markerInManifest,
			Object:  kind.Value + " " + obj.GetNamespace() + "/" + obj.GetName(),
			Message: "Headgate made this object, and deletes it when it is no longer needed: remove it from the files",
		})
		return
	}
	r.set.sources[obj] = src
	if dep, ok := obj.(*appsv1.Deployment); ok && (dep.Spec.Selector == nil || len(dep.Spec.Template.Spec.Containers) == 0) {
		r.set.partial = append(r.set.partial, dep)
		return
	}
	r.set.Add(obj)
}

// complete gives obj what the API server would.
func (r *reader) complete(obj client.Object) {
	switch kindOf(obj) {
	case "IngressClass", "Namespace":
	default:
		if obj.GetNamespace() == "" {
			obj.SetNamespace(r.namespace)
		}
	}
	obj.SetUID(types.UID(kindOf(obj) + "/" + obj.GetNamespace() + "/" + obj.GetName()))
}

// repairAnnotations turns values that are no strings into strings, so that the rest can be
// checked, and tells those of Headgate.
func (r *reader) repairAnnotations(src *source, kind string) {
	_, annotations := lookUp(src.node, []string{"metadata", "annotations"})
	if annotations == nil || annotations.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(annotations.Content); i += 2 {
		key, value := annotations.Content[i], annotations.Content[i+1]
		if value.Kind == yaml.AliasNode || value.Kind == yaml.ScalarNode && value.Tag == "!!str" {
			continue
		}
		what := fmt.Sprintf("%s is not a string: put it into quotes, for example %s: %q", value.Value, key.Value, value.Value)
		if value.Kind == yaml.ScalarNode {
			value.Tag, value.Style = "!!str", 0
		} else {
			what = fmt.Sprintf("the value is a list or a map, and an annotation is a string: write %s: | and the value below it", key.Value)
			annotations.Content = slices.Delete(annotations.Content, i, i+2)
			i -= 2
		}
		if strings.HasPrefix(key.Value, spec.AnnotationPrefix) {
			r.set.found = append(r.set.found, Finding{File: src.file, Line: key.Line, Severity: Error, Rule: notAString,
				Object: kind, Message: fmt.Sprintf("annotation %s: %s", key.Value, what)})
		}
	}
}

// decode returns the object at node: nil for a kind that nobody here looks at.
func decode(node *yaml.Node) (client.Object, error) {
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
	switch {
	case runtime.IsNotRegisteredError(err):
		return autoscalerOf(value), nil
	case runtime.IsMissingKind(err), runtime.IsMissingVersion(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if old, ok := decoded.(*autoscalingv1.HorizontalPodAutoscaler); ok {
		return newerAutoscaler(old), nil
	}
	obj, _ := decoded.(client.Object)
	return obj, nil
}

func newerAutoscaler(old *autoscalingv1.HorizontalPodAutoscaler) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: old.ObjectMeta, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference(old.Spec.ScaleTargetRef),
		MinReplicas:    old.Spec.MinReplicas, MaxReplicas: old.Spec.MaxReplicas,
	}}
}

// autoscalerOf returns the HorizontalPodAutoscaler that KEDA makes of a ScaledObject. nil:
// value is something else.
func autoscalerOf(value any) client.Object {
	fields, _ := value.(map[string]any)
	u := unstructured.Unstructured{Object: fields}
	if u.GetKind() != "ScaledObject" || !strings.HasPrefix(u.GetAPIVersion(), "keda.sh/") {
		return nil
	}
	text, err := json.Marshal(fields)
	var so scaledObject
	if err != nil || json.Unmarshal(text, &so) != nil || so.Spec.ScaleTargetRef.Kind != "" && so.Spec.ScaleTargetRef.Kind != "Deployment" {
		return nil
	}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	hpa.Name, hpa.Namespace = "keda-hpa-"+u.GetName(), u.GetNamespace()
	hpa.OwnerReferences = append(hpa.OwnerReferences, ownerOf("ScaledObject", u.GetName(), types.UID(u.GetName())))
	hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{
		APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment", Name: so.Spec.ScaleTargetRef.Name,
	}
	hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas = so.Spec.MinReplicaCount, so.Spec.MaxReplicaCount
	if hpa.Spec.MaxReplicas == 0 {
		hpa.Spec.MaxReplicas = kedaMaxReplicas
	}
	hpa.Spec.Behavior = so.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior
	return hpa
}

// kedaMaxReplicas is KEDA's default.
const kedaMaxReplicas = 100

type scaledObject struct {
	Spec struct {
		ScaleTargetRef struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount *int32 `json:"minReplicaCount"`
		MaxReplicaCount int32  `json:"maxReplicaCount"`
		Advanced        struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
			} `json:"horizontalPodAutoscalerConfig"`
		} `json:"advanced"`
	} `json:"spec"`
}
