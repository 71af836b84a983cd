"""The addresses of the site."""

from django.contrib import admin
from django.urls import path

from guestbook import views

urlpatterns = [
    path("", views.guestbook, name="guestbook"),
    path("latest", views.latest, name="latest"),
    path("admin/", admin.site.urls),
]
