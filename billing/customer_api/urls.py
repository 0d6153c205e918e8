"""URLs of the customers' API about plan and payments."""

from django.urls import path

from billing.customer_api import billing, payment

urlpatterns = [
    path("billing/", billing.BillingView.as_view(), name="api_billing"),
    path("billing/plans/", billing.PlansView.as_view(), name="api_plans"),
    path("billing/grants/", billing.GrantsView.as_view(), name="api_grants"),
    path("billing/invoices/", billing.InvoicesView.as_view(), name="api_invoices"),
    path("billing/checkout/", payment.CheckoutView.as_view(), name="api_checkout"),
    path("billing/portal/", payment.PortalView.as_view(), name="api_portal"),
]
