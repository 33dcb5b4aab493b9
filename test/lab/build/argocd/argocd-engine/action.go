package main

import (
	"context"
	"encoding/json"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/argoproj/argo-cd/v3/util/lua"
)

// actionRequest lists the buttons of a Deployment and, where press is not "", presses one.
type actionRequest struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Press     string `json:"press,omitempty"`
}

// actionOutcome is what there was before a button was pressed.
type actionOutcome struct {
	Buttons map[string]bool `json:"buttons"` // by name: whether it is enabled
	Patch   string          `json:"patch,omitempty"`
}

func (e *engine) action(ctx context.Context, in actionRequest) (*actionOutcome, error) {
	gvk := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	live, err := e.kubectl.GetResource(ctx, e.config, gvk, in.Name, in.Namespace)
	if err != nil {
		return nil, err
	}
	overrides, err := e.settings.GetResourceOverrides()
	if err != nil {
		return nil, err
	}
	vm := lua.VM{ResourceOverrides: overrides}
	out, err := discover(vm, live)
	if err != nil || in.Press == "" {
		return out, err
	}
	// Argo CD's server does not look at disabled: that is for the page alone.
	out.Patch, err = e.press(ctx, vm, live, in.Press)
	return out, err
}

func discover(vm lua.VM, live *unstructured.Unstructured) (*actionOutcome, error) {
	scripts, err := vm.GetResourceActionDiscovery(live)
	if err != nil {
		return nil, fmt.Errorf("read the discovery scripts: %w", err)
	}
	actions, err := vm.ExecuteResourceActionDiscovery(live, scripts)
	if err != nil {
		return nil, fmt.Errorf("discover actions: %w", err)
	}
	out := &actionOutcome{Buttons: map[string]bool{}}
	for _, a := range actions {
		out.Buttons[a.Name] = !a.Disabled
	}
	return out, nil
}

// press does what RunResourceActionV2 does, and returns the patch that it sent.
func (e *engine) press(ctx context.Context, vm lua.VM, live *unstructured.Unstructured, name string) (string, error) {
	action, err := vm.GetResourceAction(live, name)
	if err != nil {
		return "", fmt.Errorf("action %s: %w", name, err)
	}
	changed, err := vm.ExecuteResourceAction(live, action.ActionLua, nil)
	if err != nil {
		return "", fmt.Errorf("action %s: %w", name, err)
	}
	if len(changed) != 1 || changed[0].K8SOperation != lua.PatchOperation {
		return "", fmt.Errorf("action %s: %d changed objects, want one patch", name, len(changed))
	}
	before, err := json.Marshal(live)
	if err != nil {
		return "", err
	}
	after, err := json.Marshal(changed[0].UnstructuredObj)
	if err != nil {
		return "", err
	}
	patch, err := jsonpatch.CreateMergePatch(before, after)
	if err != nil || string(patch) == "{}" {
		return string(patch), err
	}
	_, err = e.kubectl.PatchResource(ctx, e.config, live.GroupVersionKind(), live.GetName(), live.GetNamespace(), types.MergePatchType, patch)
	return string(patch), err
}
