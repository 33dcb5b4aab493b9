package cleanup

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/spec"
)

// fieldOwner is the field manager of the template of stable. It is another one than
// Headgate's, because disown takes its fields away again.
const fieldOwner = "headgate-cleanup"

// annotationRevision is on every ReplicaSet of a Deployment.
const annotationRevision = "deployment.kubernetes.io/revision"

// version is a ReplicaSet whose template serves.
type version struct {
	name     string
	revision int64
	template map[string]any // with every field that the API server knows
}

func (v version) String() string {
	return fmt.Sprintf("revision %d (ReplicaSet %s)", v.revision, v.name)
}

// undo puts the template of stable back. The webhook, where it is asked, holds it like any
// other, and the manager finds that it runs already.
func (c *Cleanup) undo(ctx context.Context, rest *leftover) error {
	stable, err := c.stableOf(ctx, rest.dep)
	if err != nil {
		return err
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/resourceVersion", "value": rest.dep.ResourceVersion},
		{"op": "replace", "path": "/spec/template", "value": stable.template},
	})
	if err != nil {
		return fmt.Errorf("encoding the template of %s: %w", stable, err)
	}
	written := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: rest.deployment.Namespace, Name: rest.deployment.Name}}
	err = c.Client.Patch(ctx, written, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(fieldOwner))
	if err != nil {
		return fmt.Errorf("putting the template of %s back: %w", stable, err)
	}
	if written.ResourceVersion == rest.dep.ResourceVersion {
		return nil // it is back already, and the manager has not looked yet
	}
	again := ""
	if c.undone[rest.deployment]++; c.undone[rest.deployment] > 1 {
		again = "; somebody applied a new one meanwhile: if a GitOps tool does, change it in git"
	}
	c.tell(rest.deployment, fmt.Sprintf("puts the template of %s back%s", stable, again))
	return c.disown(ctx, rest.deployment)
}

// disown makes nobody the owner of the fields that undo wrote. Otherwise the next
// server-side apply of the user would meet a conflict. The manager writes at the same time.
func (c *Cleanup) disown(ctx context.Context, key types.NamespacedName) error {
	// A patch of an entry that moved or is gone is invalid.
	moved := func(err error) bool { return apierrors.IsConflict(err) || apierrors.IsInvalid(err) }
	return retry.OnError(retry.DefaultBackoff, moved, func() error {
		dep := &metav1.PartialObjectMetadata{}
		dep.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
		if err := c.Live.Get(ctx, key, dep); err != nil {
			return fmt.Errorf("reading Deployment %s: %w", key, err)
		}
		i := slices.IndexFunc(dep.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == fieldOwner })
		if i < 0 {
			return nil
		}
		patch, err := json.Marshal([]map[string]any{
			{"op": "test", "path": fmt.Sprintf("/metadata/managedFields/%d/manager", i), "value": fieldOwner},
			{"op": "remove", "path": fmt.Sprintf("/metadata/managedFields/%d", i)},
		})
		if err != nil {
			return fmt.Errorf("encoding the field managers of Deployment %s: %w", key, err)
		}
		if err := c.Client.Patch(ctx, dep, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(fieldOwner)); err != nil {
			return fmt.Errorf("writing the field managers of Deployment %s: %w", key, err)
		}
		return nil
	})
}

// ship gives the command that releases the template. It names the rollout, so that it
// does not release another one.
func (c *Cleanup) ship(ctx context.Context, rest *leftover) error {
	id := rest.dep.Annotations[spec.AnnotationRollout]
	if c.shipped[rest.deployment] == id {
		return nil
	}
	command := spec.Command{Verb: spec.VerbPromoteFull, Rollout: id}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": rest.dep.ResourceVersion,
		"annotations":     map[string]any{spec.AnnotationCommand: command.String()},
	}})
	if err != nil {
		return fmt.Errorf("encoding the command: %w", err)
	}
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: rest.deployment.Namespace, Name: rest.deployment.Name}}
	if err := c.Client.Patch(ctx, dep, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(spec.FieldOwner)); err != nil {
		return fmt.Errorf("giving the command %s: %w", command, err)
	}
	c.shipped[rest.deployment] = id
	c.tell(rest.deployment, fmt.Sprintf("releases rollout %s without the steps that are left", id))
	return nil
}

// stableOf returns the newest version of dep that has pods.
func (c *Cleanup) stableOf(ctx context.Context, dep *appsv1.Deployment) (version, error) {
	selector, err := metav1.LabelSelectorAsSelector(dep.Spec.Selector)
	if err != nil {
		return version{}, fmt.Errorf("reading the selector: %w", err)
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	if err := c.Live.List(ctx, list, client.InNamespace(dep.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return version{}, fmt.Errorf("listing its ReplicaSets: %w", err)
	}
	newest := version{}
	for i := range list.Items {
		rs := &list.Items[i]
		replicas, _, err := unstructured.NestedInt64(rs.Object, "spec", "replicas")
		if err != nil || replicas == 0 || !metav1.IsControlledBy(rs, dep) {
			continue
		}
		revision, err := strconv.ParseInt(rs.GetAnnotations()[annotationRevision], 10, 64)
		if err != nil || revision < newest.revision {
			continue
		}
		template, ok, err := unstructured.NestedMap(rs.Object, "spec", "template")
		if err != nil || !ok {
			continue
		}
		unstructured.RemoveNestedField(template, "metadata", "labels", appsv1.DefaultDeploymentUniqueLabelKey)
		newest = version{rs.GetName(), revision, template}
	}
	if newest.template == nil {
		return version{}, fmt.Errorf("no version of it runs, so there is nothing to go back to")
	}
	return newest, nil
}
