package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/rollout/status"
)

// verb is one command that steers a rollout.
type verb struct {
	name, short string

	// hurts is what users may notice of it; "": nothing. A person at a terminal is asked.
	hurts string
}

var verbs = map[string]verb{
	spec.VerbPromote: {"promote", "Go on to the next step; --full: ship the version now", ""},
	spec.VerbPromoteFull: {"promote --full", "",
		"all users get the new version, without the steps and the verdicts that are left"},
	spec.VerbPause:  {"pause", "Keep the weight as it is", ""},
	spec.VerbResume: {"resume", "Go on after a pause", ""},
	spec.VerbAbort:  {"abort", "Give up: all traffic goes back to stable", "the users of the canary go back to the old version"},
	spec.VerbRetry:  {"retry", "Try the same template again after a rollback", "users get the version again that was rolled back"},
}

type steerOptions struct {
	full, yes, dryRun bool
	timeout           time.Duration
}

// steering returns a command for each verb.
func (e *env) steering() []*cobra.Command {
	var all []*cobra.Command
	for _, word := range []string{spec.VerbPromote, spec.VerbPause, spec.VerbResume, spec.VerbAbort, spec.VerbRetry} {
		all = append(all, e.steer(word))
	}
	return all
}

func (e *env) steer(word string) *cobra.Command {
	var o steerOptions
	v := verbs[word]
	c := &cobra.Command{
		Use: v.name + " NAME", Short: v.short, Args: cobra.ExactArgs(1),
		ValidArgsFunction: e.completeNames(func(s status.Status) bool { return s.Refusal(word) == "" }),
		Example:           "  kubectl headgate " + v.name + " web",
		RunE: func(c *cobra.Command, args []string) error {
			word := word
			if o.full {
				word = spec.VerbPromoteFull
			}
			return e.runSteer(c.Context(), word, args[0], o)
		},
	}
	if word == spec.VerbPromote {
		c.Flags().BoolVar(&o.full, "full", false, "skip every step that is left")
		c.Example += "\n  kubectl headgate promote web --full"
	}
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask back")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would happen, and write nothing")
	c.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "the longest wait for the answer of the manager")
	return c
}

// runSteer gives the command to the rollout that is there now, and to no later one.
func (e *env) runSteer(ctx context.Context, word, arg string, o steerOptions) error {
	s, err := e.readNamed(ctx, arg)
	if err != nil {
		return err
	}
	if why := s.Refusal(word); why != "" {
		return fmt.Errorf("%s is refused: %s", verbs[word].name, why)
	}
	fmt.Fprintln(e.out, lineOf(s))
	if o.dryRun {
		_, err := fmt.Fprintf(e.out, "%s would be given to rollout %s; nothing is written\n", verbs[word].name, s.Rollout)
		return err
	}
	if !o.yes && !e.confirm(word, s) {
		return &exit{code: 1, message: "nothing was written"}
	}
	return e.give(ctx, s, word, o.timeout)
}

// confirm asks back where users may notice the command, if there is a person to ask.
func (e *env) confirm(word string, s status.Status) bool {
	hurts := verbs[word].hurts
	if hurts == "" || !e.interactive() {
		return true
	}
	return e.ask(fmt.Sprintf("%s rollout %s of %s/%s: %s", verbs[word].name, s.Rollout, s.Namespace, s.Name, hurts))
}

// ask asks the person at the terminal whether to go on.
func (e *env) ask(what string) bool {
	fmt.Fprintf(e.out, "%s. Go on? [y/N] ", what)
	answer, _ := bufio.NewReader(e.in).ReadString('\n')
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer)))
}

// give writes the annotation and waits for the answer of the manager, which is an event.
func (e *env) give(ctx context.Context, s status.Status, word string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command := spec.Command{Verb: word, Rollout: s.Rollout}.String()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{spec.AnnotationCommand: command}}})
	if err != nil {
		return err
	}
	written, err := e.client.apps.Deployments(s.Namespace).Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{
		FieldManager: "kubectl-headgate",
	})
	if err != nil {
		return err
	}
	if written.Annotations[spec.AnnotationCommand] == "" {
		return fmt.Errorf("%s was removed when it was written: the template changed at the same moment, so it was not for that template", command)
	}
	return e.awaitAnswer(ctx, s, command, timeout)
}

// awaitAnswer waits until the manager has taken the command away, and tells what it said.
func (e *env) awaitAnswer(ctx context.Context, before status.Status, command string, timeout time.Duration) error {
	for s, err := range e.changes(ctx, before.Namespace, before.Name) {
		if err != nil {
			return err
		}
		dep, err := e.client.apps.Deployments(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if dep.Annotations[spec.AnnotationCommand] != command {
			return e.tellAnswer(ctx, before, dep)
		}
	}
	return &exit{exitTimeout, fmt.Sprintf("%s is written, and no manager has taken it within %s. Is Headgate running?\n"+
		"  kubectl get pods -A -l app.kubernetes.io/name=headgate\nTo take the command back: kubectl -n %s annotate deployment/%s %s-",
		command, timeout, before.Namespace, before.Name, spec.AnnotationCommand)}
}

// tellAnswer prints what the manager says since the command was given.
func (e *env) tellAnswer(ctx context.Context, before status.Status, dep *appsv1.Deployment) error {
	s, err := e.read(ctx, dep.Namespace, dep.Name)
	if err != nil {
		return err
	}
	for _, event := range s.Events {
		if event.Reason == reason.CommandRefused && event.At.After(before.At) {
			return &exit{1, event.Message}
		}
	}
	_, err = fmt.Fprintln(e.out, lineOf(s))
	return err
}
