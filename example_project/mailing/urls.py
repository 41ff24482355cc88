"""The addresses of the mailing."""

from __future__ import annotations

from django.urls import path

from example_project.mailing import views

app_name = "mailing"
urlpatterns = [
    path("", views.club_list, name="clubs"),
    path("pause/", views.pause, name="pause"),
    path("resume/", views.resume, name="resume"),
    path("<slug:slug>/", views.club_detail, name="club"),
    path("<slug:slug>/write/", views.write, name="write"),
    path("<slug:slug>/<int:pk>/", views.profile, name="profile"),
]
