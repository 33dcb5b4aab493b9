package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// mutating is a compiled MutatingAdmissionPolicy with one mutation.
type mutating struct {
	matcher
	patcher   patch.Patcher
	variables *plugincel.CompositedCompiler
}

// validating is a compiled ValidatingAdmissionPolicy.
type validating struct {
	matcher
	name        string
	validations plugincel.ConditionEvaluator
	messages    plugincel.ConditionEvaluator
	fixed       []string // the messages that need no expression
	actions     []admissionregv1.ValidationAction
}

// matcher says which writes a policy is about, without its namespaceSelector.
type matcher struct {
	operations []admissionregv1.OperationType
	conditions plugincel.ConditionEvaluator
}

// expression is any CEL expression of a policy.
type expression struct {
	name, text string
	returns    *cel.Type
}

func (e expression) GetName() string          { return e.name }
func (e expression) GetExpression() string    { return e.text }
func (e expression) ReturnTypes() []*cel.Type { return []*cel.Type{e.returns} }

// declared is what the API server declares for both kinds of policies.
var declared = plugincel.OptionalVariableDeclarations{HasAuthorizer: true}

// compiler compiles the policies of one chart.
type compiler struct {
	version  *version.Version
	policies Policies
	actions  map[string][]admissionregv1.ValidationAction // by the name of a policy
}

// add compiles obj if it is a policy.
func (c *compiler) add(obj unstructured.Unstructured) error {
	switch obj.GetKind() {
	case "MutatingAdmissionPolicy":
		var p admissionregv1.MutatingAdmissionPolicy
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(obj.Object, &p, true); err != nil {
			return err
		}
		return c.addMutating(p.Spec)
	case "ValidatingAdmissionPolicy":
		var p admissionregv1.ValidatingAdmissionPolicy
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(obj.Object, &p, true); err != nil {
			return err
		}
		return c.addValidating(p.Name, p.Spec)
	case "ValidatingAdmissionPolicyBinding":
		var b admissionregv1.ValidatingAdmissionPolicyBinding
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(obj.Object, &b, true); err != nil {
			return err
		}
		c.actions[b.Spec.PolicyName] = b.Spec.ValidationActions
	}
	return nil
}

// finish gives every policy the actions of its binding.
func (c *compiler) finish() (*Policies, error) {
	for i, v := range c.policies.validating {
		if c.policies.validating[i].actions = c.actions[v.name]; len(c.actions[v.name]) == 0 {
			return nil, fmt.Errorf("ValidatingAdmissionPolicy %s has no binding", v.name)
		}
	}
	return &c.policies, nil
}

func (c *compiler) addMutating(p admissionregv1.MutatingAdmissionPolicySpec) error {
	if len(p.Mutations) != 1 || p.Mutations[0].JSONPatch == nil {
		return errors.New("does not have one JSONPatch")
	}
	compiler, err := c.withVariables(p.Variables)
	if err != nil {
		return err
	}
	patching := declared
	patching.HasPatchTypes = true
	evaluator := compiler.CompileMutatingEvaluator(
		&patch.JSONPatchCondition{Expression: p.Mutations[0].JSONPatch.Expression}, patching, environment.NewExpressions)
	if err := errors.Join(evaluator.CompilationErrors()...); err != nil {
		return err
	}
	matcher, err := newMatcher(compiler, p.MatchConstraints, p.MatchConditions)
	c.policies.mutating = append(c.policies.mutating, mutating{matcher, patch.NewJSONPatcher(evaluator), compiler})
	return err
}

func (c *compiler) addValidating(name string, p admissionregv1.ValidatingAdmissionPolicySpec) error {
	compiler, err := c.withVariables(p.Variables)
	if err != nil {
		return err
	}
	var conditions, messages []expression
	var fixed []string
	for _, v := range p.Validations {
		conditions = append(conditions, expression{text: v.Expression, returns: cel.BoolType})
		fixed = append(fixed, v.Message)
		if v.MessageExpression == "" {
			v.MessageExpression = "''"
		}
		messages = append(messages, expression{text: v.MessageExpression, returns: cel.StringType})
	}
	v := validating{name: name, fixed: fixed}
	var failed [3]error
	v.validations, failed[0] = compileAll(compiler, conditions)
	v.messages, failed[1] = compileAll(compiler, messages)
	v.matcher, failed[2] = newMatcher(compiler, p.MatchConstraints, p.MatchConditions)
	c.policies.validating = append(c.policies.validating, v)
	return errors.Join(failed[:]...)
}

func (c *compiler) withVariables(variables []admissionregv1.Variable) (*plugincel.CompositedCompiler, error) {
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(c.version))
	if err != nil {
		return nil, err
	}
	for _, v := range variables {
		compiled := compiler.CompileAndStoreVariable(expression{v.Name, v.Expression, cel.AnyType}, declared, environment.NewExpressions)
		if compiled.Error != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Name, compiled.Error)
		}
	}
	return compiler, nil
}

// compileAll compiles each expression a second time, alone, to see its error: the
// evaluator keeps errors until it is used.
func compileAll(compiler *plugincel.CompositedCompiler, list []expression) (plugincel.ConditionEvaluator, error) {
	var accessors []plugincel.ExpressionAccessor
	var failed []error
	for _, e := range list {
		if compiled := compiler.CompileCELExpression(e, declared, environment.NewExpressions); compiled.Error != nil {
			failed = append(failed, fmt.Errorf("%s: %w", e.text, compiled.Error))
		}
		accessors = append(accessors, e)
	}
	return compiler.CompileCondition(accessors, declared, environment.NewExpressions), errors.Join(failed...)
}

func newMatcher(compiler *plugincel.CompositedCompiler, about *admissionregv1.MatchResources, list []admissionregv1.MatchCondition,
) (matcher, error) {
	var conditions []expression
	for _, c := range list {
		conditions = append(conditions, expression{text: c.Expression, returns: cel.BoolType})
	}
	evaluator, err := compileAll(compiler, conditions)
	return matcher{about.ResourceRules[0].Operations, evaluator}, err
}

// matches says whether the policy is about this write.
func (m matcher) matches(ctx context.Context, a *admission.VersionedAttributes) (bool, error) {
	if !slices.Contains(m.operations, admissionregv1.OperationType(a.GetOperation())) {
		return false, nil
	}
	results, err := evaluate(ctx, m.conditions, a)
	if err != nil {
		return false, fmt.Errorf("matchConditions: %w", err)
	}
	return !slices.Contains(results, any(false)), nil
}

func (m mutating) mutate(ctx context.Context, a *admission.VersionedAttributes) error {
	if ok, err := m.matches(ctx, a); !ok || err != nil {
		return err
	}
	request := patch.Request{MatchedResource: deployments, VersionedAttributes: a, ObjectInterfaces: interfaces}
	withVariables := m.variables.CreateContext(ctx)
	changed, err := m.patcher.Patch(withVariables, request, celconfig.RuntimeCELCostBudget) //nolint:contextcheck // it is made of ctx
	if err != nil {
		return err
	}
	a.UpdateObject(changed)
	return nil
}

// validate returns the messages of the validations that a write does not pass.
func (v validating) validate(ctx context.Context, a *admission.VersionedAttributes) ([]string, error) {
	if ok, err := v.matches(ctx, a); !ok || err != nil {
		return nil, err
	}
	results, err := evaluate(ctx, v.validations, a)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(results, any(false)) {
		return nil, nil
	}
	// The expression of a validation that passed may fail: it is not for that case.
	evaluations, _, err := v.messages.ForInput(
		ctx, a, requestOf(a), plugincel.OptionalVariableBindings{}, nil, celconfig.RuntimeCELCostBudget)
	if err != nil {
		return nil, err
	}
	var found []string
	for i, passed := range results {
		if passed == any(true) {
			continue
		}
		if evaluations[i].Error != nil {
			return nil, fmt.Errorf("messageExpression: %w", evaluations[i].Error)
		}
		text, _ := evaluations[i].EvalResult.Value().(string)
		if text == "" {
			text = v.fixed[i]
		}
		found = append(found, text)
	}
	return found, nil
}

// evaluate returns the value of each expression.
func evaluate(ctx context.Context, e plugincel.ConditionEvaluator, a *admission.VersionedAttributes) ([]any, error) {
	results, _, err := e.ForInput(ctx, a, requestOf(a), plugincel.OptionalVariableBindings{}, nil, celconfig.RuntimeCELCostBudget)
	if err != nil {
		return nil, err
	}
	var values []any
	for _, r := range results {
		if r.Error != nil {
			return nil, r.Error
		}
		values = append(values, r.EvalResult.Value())
	}
	return values, nil
}

func requestOf(a *admission.VersionedAttributes) *admissionv1.AdmissionRequest {
	return plugincel.CreateAdmissionRequest(a.Attributes, metav1.GroupVersionResource(deployments), metav1.GroupVersionKind(a.VersionedKind))
}
