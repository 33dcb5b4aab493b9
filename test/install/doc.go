// Package install has the lab tests of Headgate's installation under applications with
// traffic: the real helm install, upgrade, rollback and uninstall, in the middle of
// rollouts. testdata/charts has the chart before the present one.
package install
