from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sample", "0002_span"),
    ]

    operations = [
        migrations.CreateModel(
            name="Note",
            fields=[
                ("title", models.CharField(max_length=255, primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name="Parcel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("label", models.CharField(max_length=255)),
            ],
        ),
    ]
