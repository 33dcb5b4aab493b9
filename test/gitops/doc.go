// Package gitops tests Headgate under Argo CD: Argo CD's own code for diff, sync, health and
// buttons (test/lab/build/argocd) works on a lab with Headgate installed from the chart.
//
// main_test.go starts the lab and the program. engine_test.go sends it requests. app_test.go
// has app, an Application of one test: commit changes what is in git, sync does what Argo
// CD's sync does, synced compares in every diff mode. The diff mode does not change the
// cluster, so each state of a rollout is reached once and compared in all modes.
//
// Package argolua tests the Lua of examples/argocd without a lab, on Deployments that the
// tests here record:
//
//	go -C test test -count=1 ./gitops -run TestRecord -update
package gitops
